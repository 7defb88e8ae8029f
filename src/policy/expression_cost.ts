/**
 * How long an expression may run, before it runs. Expressions have no recursion and loop only over lists, so the
 * number of their steps is bounded by the lengths of these lists: it is counted on the tree, not measured.
 */
import { nearest } from "#/core/nearest.ts";
import { type FieldType, type RecordName, RECORDS, VARIABLES } from "#/policy/view.ts";
import { isTimeZone } from "#/policy/window.ts";

/** The parser's tree, as far as it is looked at here. */
export interface Node {
  readonly op: string;
  readonly args: unknown;
  readonly start: number;
}

export interface ExpressionProblem {
  readonly message: string;
  readonly hint: string | null;
  /** The character at which it is, from 0. */
  readonly at: number;
}

/** The longest list (or set of names) in a field of a record; the length of texts is limited elsewhere. */
export type Sizes = (record: RecordName | "", field: string) => number;

/** More steps than this are refused; well below a second. */
export const MOST_STEPS = 5_000_000;
const MOST_NESTED = 2;
const LONGEST_LITERAL = 64;

/** What a call costs besides its arguments, for each text of theirs that is put together. What is not here cannot be called. */
const FUNCTIONS: Readonly<Record<string, number>> = {
  size: 50,
  contains: 20,
  startsWith: 5,
  endsWith: 5,
  lowerAscii: 20,
  upperAscii: 20,
  trim: 20,
  indexOf: 20,
  substring: 2,
  has: 1,
  int: 2,
  double: 2,
  string: 2,
  timestamp: 5,
  duration: 5,
  getFullYear: 1,
  getMonth: 1,
  getDate: 1,
  getDayOfMonth: 1,
  getDayOfWeek: 1,
  getDayOfYear: 1,
  getHours: 1,
  getMinutes: 1,
  getSeconds: 1,
};
const IN_TIME_ZONE = 200;
const LOOPS: ReadonlySet<string> = new Set(["all", "exists", "exists_one", "filter"]);

const INSTEAD: Readonly<Record<string, string>> = {
  matches: "A pattern can be made to run for seconds: use contains, startsWith or endsWith.",
  map: "Use exists, all or filter.",
  bind: "Write the value where it is used.",
  dyn: "It would hide the types from the check.",
};

/** What cannot be used at all: other functions, deep loops, times that are not written out. */
export function refuseUnbounded(root: Node): ExpressionProblem | undefined {
  return look(root, 0);
}

function look(node: Node, depth: number): ExpressionProblem | undefined {
  const call = callOf(node);
  const inLoop = call !== undefined && isLoop(call);
  if (call !== undefined) {
    const problem = callProblem(node, call, depth);
    if (problem !== undefined) return problem;
  }
  for (const [i, child] of childrenOf(node).entries()) {
    const body = inLoop && i > 0; // the receiver is outside of the loop
    const problem = look(child, depth + (body ? 1 : 0));
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function callProblem(node: Node, call: Call, depth: number): ExpressionProblem | undefined {
  const at = node.start;
  const { name, args } = call;
  if (isLoop(call)) {
    if (depth < MOST_NESTED) return undefined;
    return {
      at,
      message: `${name} stands in ${MOST_NESTED} others`,
      hint: `Loops may be nested ${MOST_NESTED} deep.`,
    };
  }
  if (LOOPS.has(name)) {
    return {
      at,
      message: `${name} stands after a list, with a name and a condition`,
      hint: `For example plan.releases.${name}(r, r.state == "bad").`,
    };
  }
  const known = Object.keys(FUNCTIONS);
  if (!known.includes(name)) {
    const near = nearest(name, [...known, ...LOOPS]);
    const meant = near === undefined
      ? `Known are ${[...known, ...LOOPS].join(", ")}.`
      : `Did you mean ${near}?`;
    return { at, message: `${name} is not available`, hint: INSTEAD[name] ?? meant };
  }
  const isTime = name === "timestamp" || name === "duration";
  if (isTime && !isShortLiteral(args[0])) {
    return { at, message: `${name} needs a text that is written out`, hint: 'For example duration("24h").' };
  }
  if (name.startsWith("get") && args[0] !== undefined) {
    const zone = args[0].op === "value" ? args[0].args : undefined;
    if (typeof zone !== "string" || !isTimeZone(zone)) {
      return {
        at: args[0].start,
        message: `${name} needs a time zone that is written out`,
        hint: 'For example "Europe/Berlin".',
      };
    }
  }
  return undefined;
}

function isShortLiteral(node: Node | undefined): boolean {
  return node?.op === "value" && typeof node.args === "string" && node.args.length <= LONGEST_LITERAL;
}

/** Names of iteration variables, with what they hold. */
type Bound = ReadonlyMap<string, FieldType | "part" | undefined>;

/** Steps that the expression takes at most, with lists of these lengths. */
export function countSteps(root: Node, sizes: Sizes): number {
  return steps(root, new Map(), sizes);
}

function steps(node: Node, bound: Bound, sizes: Sizes): number {
  const call = callOf(node);
  if (call !== undefined && isLoop(call)) {
    const [variable, body] = call.args;
    const inside = new Map(bound).set(String(variable!.args), elementOf(typeOf(call.receiver!, bound)));
    return 1 + steps(call.receiver!, bound, sizes) +
      length(call.receiver!, bound, sizes) * (1 + steps(body!, inside, sizes));
  }
  const children = childrenOf(node).reduce((sum, child) => sum + steps(child, bound, sizes), 0);
  if (call !== undefined) {
    const zoned = call.name.startsWith("get") && call.args.length > 0;
    return children + (zoned ? IN_TIME_ZONE : FUNCTIONS[call.name] ?? 1) * leaves(node);
  }
  const compares = node.op === "in" || node.op === "==" || node.op === "!=" || node.op === "+";
  if (!compares) return children + 1;
  return children + childrenOf(node).reduce((sum, child) => sum + 4 * length(child, bound, sizes), 1);
}

/** Texts that are put together from many are longer than one. */
function leaves(node: Node): number {
  return childrenOf(node).reduce((sum, child) => sum + leaves(child), 0) || 1;
}

/** How many elements a value has at most; 1 for what is no list. */
function length(node: Node, bound: Bound, sizes: Sizes): number {
  const call = callOf(node);
  if (call !== undefined) return call.name === "filter" ? length(call.receiver!, bound, sizes) : 1;
  const children = childrenOf(node);
  switch (node.op) {
    case "list":
    case "map":
      return Math.max(1, children.length);
    case "+":
      return children.reduce((sum, child) => sum + length(child, bound, sizes), 0);
    case "?:":
      return Math.max(...children.map((child) => length(child, bound, sizes)));
    case "id":
      return bound.get(node.args as string) === "part"
        ? longest(sizes)
        : ofVariable(node.args as string, sizes);
    case ".": {
      const [left, field] = node.args as [Node, string];
      const record = recordOf(typeOf(left, bound));
      return record === undefined ? longest(sizes) : sizes(record, field);
    }
    case "[]":
      return typeof typeOf(children[0]!, bound) === "object" || typeOf(children[0]!, bound) === "texts"
        ? 1
        : longest(sizes);
    default:
      return 1;
  }
}

function ofVariable(name: string, sizes: Sizes): number {
  return VARIABLES[name]?.type === "texts by name" ? sizes("Release", "labels") : 1;
}

/** For what cannot be traced: the longest list of all. */
function longest(sizes: Sizes): number {
  const all = Object.entries(RECORDS).flatMap(([record, fields]) =>
    Object.keys(fields).map((field) => sizes(record as RecordName, field))
  );
  return Math.max(1_000, ...all);
}

/** What a path leads to; "part" for a part of something written out, undefined for other values. */
function typeOf(node: Node, bound: Bound): FieldType | "part" | undefined {
  if (node.op === "id") {
    const name = node.args as string;
    return bound.has(name) ? bound.get(name) : VARIABLES[name]?.type;
  }
  if (node.op === ".") {
    const [left, field] = node.args as [Node, string];
    const record = recordOf(typeOf(left, bound));
    const fields: Readonly<Record<string, { readonly type: FieldType }>> = record === undefined
      ? {}
      : RECORDS[record];
    return Object.hasOwn(fields, field) ? fields[field]!.type : "part";
  }
  if (node.op === "[]") return elementOf(typeOf(childrenOf(node)[0]!, bound));
  if (callOf(node)?.name === "filter") return typeOf(callOf(node)!.receiver!, bound);
  if (node.op !== "list" && node.op !== "map") return undefined;
  return childrenOf(node).every((child) => child.op === "value") ? "texts" : "part";
}

function elementOf(type: FieldType | "part" | undefined): FieldType | "part" | undefined {
  if (type === "texts" || type === "texts by name") return "text";
  return typeof type === "object" && "list" in type ? { record: type.list } : "part";
}

function recordOf(type: FieldType | "part" | undefined): RecordName | undefined {
  return typeof type === "object" && "record" in type ? type.record : undefined;
}

/** The record that a path leads to; for `has(…)`, which the parser's own check does not look into. */
export function recordAt(node: Node): RecordName | undefined {
  return recordOf(typeOf(node, new Map()));
}

interface Call {
  readonly name: string;
  readonly receiver: Node | undefined;
  readonly args: readonly Node[];
}

function callOf(node: Node): Call | undefined {
  if (node.op === "call") {
    const [name, args] = node.args as [string, readonly Node[]];
    return { name, receiver: undefined, args };
  }
  if (node.op !== "rcall") return undefined;
  const [name, receiver, args] = node.args as [string, Node, readonly Node[]];
  return { name, receiver, args };
}

/** Loops have a receiver, a variable and a condition; anything else of these names is no loop, and refused. */
function isLoop({ name, receiver, args }: Call): boolean {
  return LOOPS.has(name) && receiver !== undefined && args.length === 2;
}

/** All nodes directly below, in the order of the text. */
export function childrenOf(node: Node): readonly Node[] {
  const nodes: Node[] = [];
  const collect = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(collect);
    else if (typeof value === "object" && value !== null && "op" in value) nodes.push(value as Node);
  };
  collect(node.args);
  return nodes;
}
