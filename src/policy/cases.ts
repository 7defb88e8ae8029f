/** `policy test`: cases with the outcomes that they expect. Pure. */
import { nearest } from "#/core/nearest.ts";
import { compilePolicy } from "#/policy/compile.ts";
import { denialError, evaluate, type Policy } from "#/policy/evaluate.ts";
import { readGiven } from "#/policy/given.ts";
import {
  own,
  type Path,
  type PolicyProblem,
  Problems,
  readBlock,
  readChoice,
  readText,
  timeMs,
} from "#/policy/problem.ts";
import type { PolicySettings } from "#/policy/settings.ts";
import type { PolicyFacts } from "#/policy/view.ts";
import type { RuleResult } from "#/report/model.ts";

const OUTCOMES = ["deny", "warn", "pass", "silent"] as const;
/** What a rule says of an operation; silent when it does not judge it. */
export type CaseOutcome = typeof OUTCOMES[number];

const EXITS = [0, 41, 42] as const;
type Exit = typeof EXITS[number];

interface PolicyCase {
  readonly name: string;
  readonly facts: PolicyFacts;
  readonly exit: Exit | undefined;
  readonly rules: Readonly<Record<string, CaseOutcome>>;
}

export interface CaseResult {
  readonly name: string;
  readonly passed: boolean;
  readonly exit_code: number;
  /** What is not as expected: a sentence each. */
  readonly differences: readonly string[];
  /** All that the policy said. */
  readonly rules: readonly RuleResult[];
}

export type CasesOutcome =
  | { readonly results: readonly CaseResult[]; readonly own_policy: boolean }
  | { readonly problems: readonly PolicyProblem[] };

/**
 * Runs the cases of a file.
 * @param value what the file says
 * @param settings the policy to test, unless the file has its own
 */
export async function runCases(value: unknown, settings: PolicySettings): Promise<CasesOutcome> {
  const problems = new Problems();
  const block = readBlock(value, [], ["policy", "cases"], problems);
  const given = block === undefined ? undefined : own(block, "policy");
  const compiled = await compilePolicy(given ?? settings, ["policy"]);
  for (const problem of compiled.problems) problems.add(problem);
  const mode = (given ?? settings) as PolicySettings | null;
  const cases = block === undefined
    ? []
    : readCases(own(block, "cases"), compiled.policy, mode?.mode, problems);
  if (problems.found.length > 0) return { problems: problems.found };
  return { results: cases.map((it) => runCase(it, compiled.policy)), own_policy: given !== undefined };
}

function readCases(
  value: unknown,
  policy: Policy,
  mode: PolicySettings["mode"],
  problems: Problems,
): readonly PolicyCase[] {
  if (!Array.isArray(value) || value.length === 0) {
    problems.value(
      ["cases"],
      "must be a list of cases",
      "For example - {name: …, given: {…}, expect: {exit: 41}}",
    );
    return [];
  }
  return value.flatMap((item, i) => readCase(item, ["cases", i], policy, mode, problems) ?? []);
}

function readCase(
  item: unknown,
  path: Path,
  policy: Policy,
  policyMode: PolicySettings["mode"],
  problems: Problems,
): PolicyCase | undefined {
  const block = readBlock(item, path, ["name", "mode", "now", "given", "expect"], problems);
  if (block === undefined) return undefined;
  const name = readText(block, "name", path, problems, "stable is protected");
  const written = own(block, "mode");
  const mode = written === undefined
    ? policyMode
    : readChoice(written, [...path, "mode"], ["strict", "lenient", "force"] as const, problems);
  const now = own(block, "now");
  if (now !== undefined && (typeof now !== "string" || timeMs(now) === undefined)) {
    problems.value(
      [...path, "now"],
      "is not a time",
      "Give it as RFC 3339, for example 2026-11-20T22:00:00Z.",
    );
  }
  const given = readGiven(own(block, "given"), [...path, "given"], problems);
  const expected = readExpected(own(block, "expect"), [...path, "expect"], policy, problems);
  if (name === undefined || expected === undefined) return undefined;
  const { operation } = given;
  const facts: PolicyFacts = {
    ...given,
    operation: {
      ...operation,
      ...(mode === undefined || mode === "force" ? {} : { mode }),
      forced: mode === "force" || operation.forced,
    },
    ...(typeof now === "string" ? { now } : {}),
  };
  return { name, facts, ...expected };
}

function readExpected(
  value: unknown,
  path: Path,
  policy: Policy,
  problems: Problems,
): Pick<PolicyCase, "exit" | "rules"> | undefined {
  if (value === undefined) {
    return problems.value(path.slice(0, -1), "lacks expect", "For example expect: {exit: 41}");
  }
  const block = readBlock(value, path, ["exit", "rules"], problems);
  if (block === undefined) return undefined;
  const exit = own(block, "exit");
  const rules = own(block, "rules");
  if (exit === undefined && rules === undefined) {
    return problems.value(path, "expects nothing", "Give exit, rules, or both.");
  }
  if (exit !== undefined && !EXITS.some((known) => known === exit)) {
    problems.value(
      [...path, "exit"],
      "must be 0, 41 or 42",
      "0 allows, 41 denies, 42 denies because of dependents.",
    );
  }
  return { exit: exit as Exit | undefined, rules: readOutcomes(rules, [...path, "rules"], policy, problems) };
}

function readOutcomes(
  value: unknown,
  path: Path,
  policy: Policy,
  problems: Problems,
): PolicyCase["rules"] {
  if (value === undefined) return {};
  const ids = policy.rules.map(({ rule }) => rule.id);
  const block = readBlock(value, path, Object.keys(Object(value)), problems) ?? {};
  const outcomes = Object.keys(block).flatMap((id) => {
    if (!ids.includes(id)) {
      const near = nearest(id, ids);
      const hint = near === undefined
        ? "See `backout policy explain`."
        : `Did you mean ${JSON.stringify(near)}?`;
      problems.add({ path: [...path, id], key: true, message: `${JSON.stringify(id)} is not a rule`, hint });
      return [];
    }
    const outcome = readChoice(own(block, id), [...path, id], OUTCOMES, problems);
    return outcome === undefined ? [] : [[id, outcome] as const];
  });
  return Object.fromEntries(outcomes);
}

function runCase({ name, facts, exit, rules }: PolicyCase, policy: Policy): CaseResult {
  const decision = evaluate(policy, facts);
  const code = denialError(decision, "go on")?.code ?? 0;
  const differences = [
    ...(exit === undefined || exit === code ? [] : [`exit ${exit} was expected, and it is ${code}`]),
    ...Object.entries(rules).flatMap(([id, expected]) => differenceOf(id, expected, decision.results)),
  ];
  return { name, passed: differences.length === 0, exit_code: code, differences, rules: decision.results };
}

function differenceOf(id: string, expected: CaseOutcome, results: readonly RuleResult[]): readonly string[] {
  const said = results.filter((result) => result.id === id);
  const found = OUTCOMES.find((outcome) => said.some((result) => result.outcome === outcome)) ?? "silent";
  if (found === expected) return [];
  const reasons = said.filter((result) => result.outcome === found).map(({ reason }) => reason);
  const why = reasons.length === 0 ? "" : ` (${reasons.join("; ")})`;
  return [`${id} was expected to be ${expected}, and is ${found}${why}`];
}
