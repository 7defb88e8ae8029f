/** Policy: facts and rules in, a decision with its reasons out. Pure. */
import { RollbackDependencyError, RollbackPolicyViolationError } from "#/core/errors.ts";
import type { ParameterValues } from "#/policy/parameters.ts";
import type { Finding, PolicyFacts, Rule, Severity } from "#/policy/rule.ts";
import { expiredWaivers, type Waiver, waiverOf } from "#/policy/waiver.ts";
import type { OperationKind, RuleResult } from "#/report/model.ts";

/** A rule with what the configuration says of it. */
export interface ActiveRule {
  readonly rule: Rule;
  readonly severity: Severity;
  readonly values: ParameterValues;
}

/** What is enforced: every rule that is known, and the waivers. */
export interface Policy {
  readonly rules: readonly ActiveRule[];
  readonly waivers: readonly Waiver[];
}

export interface Decision {
  readonly results: readonly RuleResult[];
  /** Denials that hold (none in lenient mode or with force). */
  readonly denied: readonly { readonly rule: Rule; readonly result: RuleResult }[];
  readonly warnings: readonly string[];
}

/** The mode is one of the facts: lenient and forced turn denials into warnings. */
export function evaluate(policy: Policy, facts: PolicyFacts): Decision {
  const judging = policy.rules.filter((active) => judges(active, facts));
  const judged = judging.flatMap((active) => judge(active, policy.waivers, facts));
  const overruled = facts.operation.mode === "lenient" || facts.operation.forced;
  const results = judged.map(({ result }) =>
    overruled && result.outcome === "deny" ? { ...result, outcome: "warn" } as const : result
  );
  const expired = expiredWaivers(policy.waivers, new Set(judging.map(({ rule }) => rule.id)), facts);
  return {
    results,
    denied: overruled ? [] : judged.filter(({ result }) => result.outcome === "deny"),
    warnings: [
      ...results.filter((result) => result.outcome === "warn").map(({ id, reason }) => `${id}: ${reason}`),
      ...expired.map((waiver) => `${waiver.rule}: ${describeExpired(waiver)}`),
    ],
  };
}

function judges({ rule, severity, values }: ActiveRule, facts: PolicyFacts): boolean {
  if (severity === "off") return false;
  const operations = values.operations as readonly OperationKind[] | undefined ?? rule.operations;
  return operations.includes(facts.operation.kind) && (rule.appliesTo?.(facts, values) ?? true);
}

interface Judged {
  readonly rule: Rule;
  readonly result: RuleResult;
}

function judge(
  { rule, severity, values }: ActiveRule,
  waivers: readonly Waiver[],
  facts: PolicyFacts,
): readonly Judged[] {
  const findings = rule.check(facts, values);
  if (findings.length === 0) {
    return [{ rule, result: { id: rule.id, outcome: "pass", reason: rule.purpose } }];
  }
  return findings.map((finding) => {
    const result = toResult(rule, severity, finding);
    if (result.outcome !== "deny") return { rule, result };
    const waiver = waiverOf(waivers, rule.id, finding, facts);
    return { rule, result: waiver === undefined ? result : waive(result, waiver) };
  });
}

function toResult(rule: Rule, severity: Severity, finding: Finding): RuleResult {
  const outcome = severity === "deny" && finding.severity !== "warn" ? "deny" : "warn";
  const hint = finding.hint === undefined ? {} : { hint: finding.hint };
  return { id: rule.id, outcome, reason: finding.reason, ...hint };
}

function waive({ id, reason }: RuleResult, { approver, reason: why, expires }: Waiver): RuleResult {
  return {
    id,
    outcome: "warn",
    reason: `${reason} (waived by ${approver} until ${expires}: ${why})`,
    waived_by: { approver, reason: why, expires },
  };
}

function describeExpired({ scope, approver, expires }: Waiver): string {
  return `the waiver by ${approver} for ${scope} expired at ${expires} and does nothing`;
}

/** The error of a decision that denies: 42 when dependents are among the reasons, else 41; undefined when it allows. */
export function denialError(
  decision: Decision,
  what: string,
): RollbackDependencyError | RollbackPolicyViolationError | undefined {
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
