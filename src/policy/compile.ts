/** From settings to what is enforced: every mistake is found here, before anything is looked at. */
import { UsageError } from "#/core/errors.ts";
import { nearest } from "#/core/nearest.ts";
import type { ActiveRule, Policy } from "#/policy/evaluate.ts";
import { exampleOf, type ParameterValues, readOperations, readParameter } from "#/policy/parameters.ts";
import {
  isBlock,
  nameOf,
  own,
  type Path,
  type PolicyProblem,
  Problems,
  readBlock,
  readChoice,
  readText,
  wordList,
} from "#/policy/problem.ts";
import { findRule, RULES } from "#/policy/registry.ts";
import { requiredParameters, type Rule, SEVERITIES, type Severity } from "#/policy/rule.ts";
import type { CustomRuleSetting, PolicySettings } from "#/policy/settings.ts";
import { readWaivers } from "#/policy/waiver.ts";

const KEYS = ["mode", "rules", "custom", "waivers", "automatic"];
const CUSTOM_KEYS = ["id", "severity", "when", "message", "hint", "operations"];
const MOST_CUSTOM_RULES = 100;

export interface CompiledPolicy {
  readonly policy: Policy;
  /** In the order in which they were found; the policy is only to be used when there are none. */
  readonly problems: readonly PolicyProblem[];
}

/** What is enforced without any settings: rules that need parameters are off. */
export const DEFAULT_POLICY: Policy = {
  rules: RULES.map((rule) => activate(rule, undefined, {})),
  waivers: [],
};

/**
 * Reads settings, from a configuration or from a caller of the library.
 * @param at the path of the settings in their document
 */
export async function compilePolicy(settings: unknown, at: Path = []): Promise<CompiledPolicy> {
  const problems = new Problems();
  const block = readBlock(settings, at, KEYS, problems) ?? {};
  const mode = own(block, "mode");
  if (mode !== undefined) readChoice(mode, [...at, "mode"], ["strict", "lenient"], problems);
  const builtIn = readRules(own(block, "rules"), [...at, "rules"], problems);
  const ids = new Set(RULES.map((rule) => rule.id));
  const custom = await readCustom(own(block, "custom"), [...at, "custom"], ids, problems);
  const rules = [...builtIn, ...custom];
  const waivers = readWaivers(own(block, "waivers"), [...at, "waivers"], [...ids], problems);
  const automatic = own(block, "automatic");
  if (automatic !== undefined) {
    const { readAutomatic } = await import("#/policy/automatic.ts"); // expressions load only where there are some
    readAutomatic(automatic, [...at, "automatic"], problems);
  }
  return { policy: { rules, waivers }, problems: problems.found };
}

/**
 * The policy of an operation.
 * @throws {UsageError} that names every mistake
 */
export async function policyOf(settings: PolicySettings | undefined): Promise<Policy> {
  const { rules, custom, waivers } = settings ?? {};
  if (rules === undefined && custom === undefined && waivers === undefined) return DEFAULT_POLICY;
  const { policy, problems } = await compilePolicy(settings);
  if (problems.length === 0) return policy;
  const hints = new Set(problems.flatMap(({ hint }) => hint === null ? [] : [hint]));
  throw new UsageError(`The policy cannot be used: ${problems.map(({ message }) => message).join("; ")}`, {
    ...(hints.size === 0 ? {} : { hint: [...hints].join("\n") }),
    context: { problems: problems.map(({ path }) => nameOf(path)) },
  });
}

function readRules(value: unknown, path: Path, problems: Problems): readonly ActiveRule[] {
  if (value !== undefined && !isBlock(value)) {
    problems.value(path, "must be a block of keys", "For example rules: {freeze-window: off}");
  }
  const block = isBlock(value) ? value : {};
  for (const id of Object.keys(block)) {
    if (findRule(id) === undefined) unknownRule(id, path, problems);
  }
  return RULES.map((rule) => readRule(rule, own(block, rule.id), [...path, rule.id], problems));
}

function unknownRule(id: string, path: Path, problems: Problems): void {
  const near = nearest(id, RULES.map((rule) => rule.id));
  problems.add({
    path: [...path, id],
    key: true,
    message: `${JSON.stringify(id)} is not a rule`,
    hint: near === undefined
      ? "See `backout policy explain`; rules of your own go under custom."
      : `Did you mean ${JSON.stringify(near)}?`,
  });
}

function readRule(rule: Rule, value: unknown, path: Path, problems: Problems): ActiveRule {
  if (value === undefined) return activate(rule, undefined, {});
  if (!isBlock(value)) {
    const severity = readChoice(value, path, SEVERITIES, problems);
    if (severity !== undefined && severity !== "off") demandParameters(rule, {}, path, problems);
    return activate(rule, severity, {});
  }
  const parameters = rule.parameters ?? {};
  const known = ["severity", ...Object.keys(parameters)];
  readBlock(value, path, known, problems);
  const given = own(value, "severity");
  const severity = given === undefined
    ? undefined
    : readChoice(given, [...path, "severity"], SEVERITIES, problems);
  if (severity !== "off") demandParameters(rule, value, path, problems);
  const values = Object.entries(parameters).flatMap(([name, parameter]) => {
    const written = own(value, name);
    if (written === undefined) return [];
    return [[name, readParameter(parameter, written, [...path, name], problems)] as const];
  });
  // Naming a rule turns it on.
  const named = severity ?? (rule.severity === "off" ? "deny" : undefined);
  return activate(rule, named, Object.fromEntries(values));
}

function demandParameters(
  rule: Rule,
  block: Readonly<Record<string, unknown>>,
  path: Path,
  problems: Problems,
): void {
  const missing = requiredParameters(rule).filter((name) => own(block, name) === undefined);
  if (missing.length === 0) return;
  const examples = missing.map((name) => `${name}: ${exampleOf(rule.parameters![name]!.kind)}`);
  problems.value(path, `lacks ${wordList(missing)}`, `For example ${rule.id}: {${examples.join(", ")}}`);
}

function activate(rule: Rule, severity: Severity | undefined, values: ParameterValues): ActiveRule {
  const complete = requiredParameters(rule).every((name) => values[name] !== undefined);
  return { rule, severity: complete ? severity ?? rule.severity : "off", values };
}

/** @param taken the ids of other rules; those found here are added */
async function readCustom(
  value: unknown,
  path: Path,
  taken: Set<string>,
  problems: Problems,
): Promise<readonly ActiveRule[]> {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > MOST_CUSTOM_RULES) {
    problems.value(path, `must be a list of at most ${MOST_CUSTOM_RULES} rules`);
    return [];
  }
  const rules: ActiveRule[] = [];
  for (const [i, item] of value.entries()) {
    const setting = readCustomSetting(item, [...path, i], taken, problems);
    if (setting === undefined) continue;
    const { makeCustomRule } = await import("#/policy/custom_rule.ts"); // expressions load only where there are some
    const made = makeCustomRule(setting);
    if ("problem" in made) {
      const { message, hint, at } = made.problem;
      problems.add({
        path: [...path, i, "when"],
        within: at,
        message: `the expression of ${setting.id}: ${message}`,
        hint,
      });
    } else {
      rules.push({ rule: made.rule, severity: setting.severity ?? "deny", values: {} });
    }
  }
  return rules;
}

function readCustomSetting(
  item: unknown,
  path: Path,
  taken: Set<string>,
  problems: Problems,
): CustomRuleSetting | undefined {
  const before = problems.found.length;
  const block = readBlock(item, path, CUSTOM_KEYS, problems);
  if (block === undefined) return undefined;
  const id = readText(block, "id", path, problems, "no-big-rollback");
  const when = readText(block, "when", path, problems, '"plan.total_bytes > 1000000"');
  const message = readText(block, "message", path, problems, '"over 1 MB needs --force"');
  if (id !== undefined && !/^[a-z][a-z0-9-]{0,63}$/.test(id)) {
    problems.value(
      [...path, "id"],
      "is not a name for a rule",
      "Use lower-case letters, digits and hyphens: no-big-rollback.",
    );
  } else if (id !== undefined && taken.has(id)) {
    problems.value(
      [...path, "id"],
      `is ${JSON.stringify(id)}, which is the id of another rule`,
      "Give it another one.",
    );
  } else if (id !== undefined) taken.add(id);
  const severity = own(block, "severity");
  if (severity !== undefined) readChoice(severity, [...path, "severity"], SEVERITIES, problems);
  const operations = own(block, "operations");
  if (operations !== undefined) readOperations(operations, [...path, "operations"], problems);
  const hint = own(block, "hint");
  if (hint !== undefined && typeof hint !== "string") problems.value([...path, "hint"], "must be text");
  if (problems.found.length > before || id === undefined) return undefined;
  return { ...block, id, when: when!, message: message! } as CustomRuleSetting;
}
