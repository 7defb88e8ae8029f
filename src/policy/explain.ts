/** What is enforced, rule by rule: for people, and for the documentation. */
import type { ActiveRule, Policy } from "#/policy/evaluate.ts";
import { policyOf } from "#/policy/compile.ts";
import { exampleOf, type ParameterKind, showValue } from "#/policy/parameters.ts";
import { findRule } from "#/policy/registry.ts";
import { requiredParameters, type Severity } from "#/policy/rule.ts";
import type { PolicySettings, WaiverSetting } from "#/policy/settings.ts";
import { isExpired } from "#/policy/waiver.ts";

export interface ParameterExplanation {
  readonly name: string;
  readonly about: string;
  readonly required: boolean;
  readonly example: string;
  /** What the settings say, null when they say nothing. */
  readonly value: string | null;
}

export interface RuleExplanation {
  readonly id: string;
  readonly custom: boolean;
  readonly purpose: string;
  readonly hint: string;
  /** What a denial exits with. */
  readonly exit_code: 41 | 42;
  readonly default_severity: Severity;
  /** What holds now; a rule without a required parameter is off. */
  readonly severity: Severity;
  /** Required parameters that are not given. */
  readonly needs: readonly string[];
  readonly operations: readonly string[];
  readonly parameters: readonly ParameterExplanation[];
  readonly waivers: readonly (WaiverSetting & { readonly expired: boolean })[];
}

export interface PolicyExplanation {
  readonly mode: "strict" | "lenient";
  readonly rules: readonly RuleExplanation[];
}

/** @throws {UsageError} when the settings cannot be used */
export async function explainPolicy(
  settings: PolicySettings | undefined,
  now: Date = new Date(),
): Promise<PolicyExplanation> {
  const policy = await policyOf(settings);
  return {
    mode: settings?.mode ?? "strict",
    rules: policy.rules.map((active) => explainRule(active, policy, now.toISOString())),
  };
}

function explainRule({ rule, severity, values }: ActiveRule, policy: Policy, now: string): RuleExplanation {
  const parameters = Object.entries(rule.parameters ?? {}).map(([name, { kind, about, required }]) => ({
    name,
    about,
    required: required ?? false,
    example: exampleOf(kind),
    value: values[name] === undefined ? null : show(kind, values[name]),
  }));
  return {
    id: rule.id,
    custom: findRule(rule.id) === undefined,
    purpose: rule.purpose,
    hint: rule.hint,
    exit_code: rule.denial === "dependency" ? 42 : 41,
    default_severity: rule.severity,
    severity,
    needs: requiredParameters(rule).filter((name) => values[name] === undefined),
    operations: values.operations as readonly string[] | undefined ?? rule.operations,
    parameters,
    waivers: policy.waivers
      .filter((waiver) => waiver.rule === rule.id)
      .map((waiver) => ({ ...waiver, expired: isExpired(waiver, now) })),
  };
}

function show(kind: ParameterKind, value: NonNullable<ActiveRule["values"][string]>): string {
  return showValue(kind, value as never); // it was read by this kind
}
