/** Policy: facts and rules in, a decision with its reasons out. Pure. */
import { RollbackDependencyError, RollbackPolicyViolationError } from "#/core/errors.ts";
import type { Finding, PolicyFacts, Rule } from "#/policy/rule.ts";
import type { PolicyMode, RuleResult } from "#/report/model.ts";

export interface Decision {
  readonly results: readonly RuleResult[];
  /** Denials that hold (none in lenient mode or with force). */
  readonly denied: readonly { readonly rule: Rule; readonly result: RuleResult }[];
  readonly warnings: readonly string[];
}

export interface EvaluateOptions {
  readonly mode: PolicyMode;
  readonly force: boolean;
}

export function evaluate(rules: readonly Rule[], facts: PolicyFacts, options: EvaluateOptions): Decision {
  const judged = rules
    .filter((rule) => rule.severity !== "off" && rule.appliesTo(facts))
    .flatMap((rule) => judge(rule, facts));
  const overruled = options.mode === "lenient" || options.force;
  const results = judged.map(({ result }) =>
    overruled && result.outcome === "deny" ? overrule(result) : result
  );
  return {
    results,
    denied: overruled ? [] : judged.filter(({ result }) => result.outcome === "deny"),
    warnings: results.filter((result) => result.outcome === "warn").map((result) =>
      `${result.id}: ${result.reason}`
    ),
  };
}

interface Judged {
  readonly rule: Rule;
  readonly result: RuleResult;
}

function judge(rule: Rule, facts: PolicyFacts): readonly Judged[] {
  const findings = rule.check(facts);
  if (findings.length === 0) {
    return [{ rule, result: { id: rule.id, outcome: "pass", reason: rule.purpose } }];
  }
  return findings.map((finding) => ({ rule, result: toResult(rule, finding) }));
}

function toResult(rule: Rule, finding: Finding): RuleResult {
  const outcome = rule.severity === "deny" && finding.severity !== "warn" ? "deny" : "warn";
  const hint = finding.hint === undefined ? {} : { hint: finding.hint };
  return { id: rule.id, outcome, reason: finding.reason, ...hint };
}

function overrule(result: RuleResult): RuleResult {
  return { ...result, outcome: "warn" };
}

/** The error of a decision that denies: 42 when dependents are among the reasons, else 41; undefined when it allows. */
export function denialError(decision: Decision, what: string): Error | undefined {
  const { denied } = decision;
  if (denied.length === 0) return undefined;
  const dependency = denied.filter(({ rule }) => rule.denial === "dependency");
  const shown = dependency.length > 0 ? dependency : denied;
  const reasons = shown.map(({ result }) => result.reason);
  const hints = shown.flatMap(({ result }) => result.hint === undefined ? [] : [result.hint]);
  const options = {
    hint: `${hints[0] ?? "Mend this first."} Or go on with --policy lenient, or with --force and --reason.`,
    context: { rules: denied.map(({ result }) => result.id), reasons },
  };
  const message = `Refused to ${what}: ${reasons.join("; ")}`;
  return dependency.length > 0
    ? new RollbackDependencyError(message, options)
    : new RollbackPolicyViolationError(message, options);
}
