/** Expressions of custom rules: CEL, checked when it is read. The only file that knows the library. */
import { grouped } from "#/core/quantity.ts";
import { type ASTNode, Environment, type ParseResult } from "@marcbachmann/cel-js";
import { nearest } from "#/core/nearest.ts";
import {
  childrenOf,
  countSteps,
  type ExpressionProblem,
  MOST_STEPS,
  type Node,
  recordAt,
  refuseUnbounded,
} from "#/policy/expression_cost.ts";
import { CLASSES, sizesOf, viewOf } from "#/policy/expression_view.ts";
import { type FieldType, type PolicyFacts, type RecordName, RECORDS, VARIABLES } from "#/policy/view.ts";

const LONGEST_EXPRESSION = 4_000;
const LIMITS = {
  maxAstNodes: 500,
  maxDepth: 24,
  maxListElements: 100,
  maxMapEntries: 50,
  maxCallArguments: 4,
};

/** Lists that expressions are prepared for when they are read; those of an operation are counted before it is judged. */
const USUAL: Readonly<Record<string, number>> = {
  "Plan.artifacts": 10_000,
  "Plan.releases": 100,
  "Plan.versions": 100,
  "Plan.dependents": 100,
};
const USUAL_LIST = 30;

/** An expression that could not be judged: why, for people. */
export class ExpressionError extends Error {}

export interface Expression {
  /** Those of the view that it mentions: `plan`, `snapshot`, … */
  readonly variables: ReadonlySet<string>;
  /** @throws {ExpressionError} when it meets something that is not there, or would take too many steps */
  readonly isTrue: (facts: PolicyFacts) => boolean;
}

export type ParsedExpression = { readonly expression: Expression } | { readonly problem: ExpressionProblem };

/**
 * Reads an expression; what is wrong with it is told with its place.
 * @param about a failure, for \`policy.automatic\`, or an operation, for rules
 */
export function parseExpression(
  text: string,
  about: "operation" | "failure" = "operation",
): ParsedExpression {
  if (text.length > LONGEST_EXPRESSION) {
    return wrong(0, `it is longer than ${LONGEST_EXPRESSION} characters`, "Make several rules of it.");
  }
  let parsed: ParseResult;
  try {
    parsed = environment().parse(text);
  } catch (error) {
    return { problem: described(error) };
  }
  const root = parsed.ast as Node;
  const refused = refuseUnbounded(root) ?? subjectProblem(root, about) ?? hasProblem(root) ??
    literalProblem(root, text);
  if (refused !== undefined) return { problem: refused };
  const checked = parsed.check();
  if (!checked.valid) return { problem: described(checked.error) };
  if (checked.type !== "bool") {
    return wrong(
      0,
      `it gives ${typeWords(checked.type)}, and must give true or false`,
      "For example plan.total_bytes > 1000000.",
    );
  }
  const usual = countSteps(root, (record, field) => USUAL[`${record}.${field}`] ?? USUAL_LIST);
  if (usual > MOST_STEPS) {
    return wrong(
      0,
      `it would run long: ${grouped(usual)} steps for ${
        grouped(USUAL["Plan.artifacts"]!)
      } artifacts, and at most ${grouped(MOST_STEPS)} are allowed`,
      "Loop over a shorter list, or not in a loop.",
    );
  }
  return { expression: { variables: variablesOf(root), isTrue: (facts) => judge(parsed, root, facts) } };
}

function judge(parsed: ParseResult, root: Node, facts: PolicyFacts): boolean {
  const total = countSteps(root, sizesOf(facts));
  if (total > MOST_STEPS) {
    throw new ExpressionError(
      `it would take ${grouped(total)} steps on this operation, and at most ${
        grouped(MOST_STEPS)
      } are allowed`,
    );
  }
  let value: unknown;
  try {
    value = parsed(viewOf(facts));
  } catch (error) {
    throw new ExpressionError(described(error).message);
  }
  if (typeof value !== "boolean") throw new ExpressionError("it gives no true or false");
  return value;
}

/** The environment is made once: names and types do not change. */
let made: Environment | undefined;
export function environment(): Environment {
  return made ??= makeEnvironment();
}

function makeEnvironment(): Environment {
  const environment = new Environment({ limits: LIMITS });
  // A type is named by those registered after it: parts first.
  const names: readonly RecordName[] = [
    "Hold",
    "ChannelMove",
    "Dependent",
    "StuckChannel",
    "Release",
    "Operation",
    "User",
    "Repository",
    "Plan",
    "Target",
    "Snapshot",
    "Failure",
  ];
  for (const name of names) {
    const fields = Object.fromEntries(
      Object.entries(RECORDS[name]).map(([key, field]) => [key, celType(field.type)]),
    );
    environment.registerType(name, { ctor: CLASSES[name], fields });
  }
  for (const [name, { type }] of Object.entries(VARIABLES)) environment.registerVariable(name, celType(type));
  return environment;
}

const CEL_TYPES = {
  "text": "string",
  "whole number": "int",
  "true or false": "bool",
  "time": "google.protobuf.Timestamp",
  "texts": "list<string>",
  "texts by name": "map<string, string>",
} as const;

/** The type's name in CEL. */
export function celType(type: FieldType): string {
  if (typeof type === "string") return CEL_TYPES[type];
  return "record" in type ? type.record : `list<${type.list}>`;
}

function variablesOf(node: Node): ReadonlySet<string> {
  const own = node.op === "id" && Object.hasOwn(VARIABLES, node.args as string) ? [node.args as string] : [];
  return new Set([...own, ...childrenOf(node).flatMap((child) => [...variablesOf(child)])]);
}

/** A rule judges an operation, which has not failed yet; `policy.automatic` judges a failure, and knows no operation. */
function subjectProblem(root: Node, about: "operation" | "failure"): ExpressionProblem | undefined {
  const wrong = [...variablesOf(root)].find((name) =>
    about === "operation" ? name === "failure" : name !== "failure" && name !== "now"
  );
  if (wrong === undefined) return undefined;
  return about === "operation"
    ? { at: 0, message: "failure is not known to rules", hint: "Use it in policy.automatic." }
    : { at: 0, message: `${wrong} is not known here`, hint: "Use failure and now." };
}

/** `has(a.b)` is true or false for any name: a misspelt one would never be noticed. */
function hasProblem(node: Node): ExpressionProblem | undefined {
  if (node.op === "call" && (node.args as [string])[0] === "has") {
    const [, [path]] = node.args as [string, readonly Node[]];
    const problem = path?.op === "." ? fieldProblem(path) : undefined;
    if (problem !== undefined) return problem;
  }
  return firstOf(childrenOf(node), hasProblem);
}

function fieldProblem(path: Node): ExpressionProblem | undefined {
  const [left, field] = path.args as [Node, string];
  const record = recordAt(left);
  if (record === undefined || Object.hasOwn(RECORDS[record], field)) return undefined;
  return {
    at: path.start,
    message: `${field} is no field of ${record}`,
    hint: meant(field, Object.keys(RECORDS[record])),
  };
}

/** Times that are written out are tried now: a wrong one would only fail when it is needed. */
function literalProblem(node: Node, text: string): ExpressionProblem | undefined {
  const name = node.op === "call" ? (node.args as [string])[0] : "";
  if (name === "timestamp" || name === "duration") {
    const literal = JSON.stringify((node.args as [string, readonly Node[]])[1][0]!.args);
    try {
      environment().evaluate(`${name}(${literal})`);
    } catch (error) {
      const hint = name === "duration"
        ? 'For example duration("24h"): h, m and s.'
        : 'For example timestamp("2026-12-01T00:00:00Z").';
      return { at: node.start, message: described(error).message, hint };
    }
  }
  return firstOf(childrenOf(node), (child) => literalProblem(child, text));
}

function firstOf<T>(nodes: readonly Node[], find: (node: Node) => T | undefined): T | undefined {
  for (const node of nodes) {
    const found = find(node);
    if (found !== undefined) return found;
  }
  return undefined;
}

interface CelError {
  readonly summary?: string;
  readonly code?: string;
  readonly range?: { readonly start: number };
  readonly node?: ASTNode;
}

function described(error: unknown): ExpressionProblem {
  const { summary, code, range } = error as CelError;
  const message = summary ?? (error instanceof Error ? error.message : String(error));
  return { at: range?.start ?? 0, message: lowerFirst(message), hint: hintOf(code, message) };
}

function hintOf(code: string | undefined, message: string): string | null {
  const name = message.split(": ").at(-1) ?? "";
  if (code === "unknown_variable") return meant(name, Object.keys(VARIABLES));
  if (code !== "no_such_key") return null;
  const fields = new Set(Object.values(RECORDS).flatMap((record) => Object.keys(record)));
  return meant(name, [...fields]);
}

function meant(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  return near === undefined ? `Known are ${known.join(", ")}.` : `Did you mean ${near}?`;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function typeWords(type: string | undefined): string {
  const words: Readonly<Record<string, string>> = {
    int: "a number",
    double: "a number",
    string: "a text",
    list: "a list",
  };
  return words[type ?? ""] ?? type ?? "nothing";
}

function wrong(at: number, message: string, hint: string): { readonly problem: ExpressionProblem } {
  return { problem: { at, message, hint } };
}
