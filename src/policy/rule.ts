/** What a policy rule is. Rules are pure: they see a value and answer with reasons. */
import type { Parameters, ParameterValues, Values } from "#/policy/parameters.ts";
import type { PolicyFacts } from "#/policy/view.ts";
import type { OperationKind } from "#/report/model.ts";

export type { PolicyFacts } from "#/policy/view.ts";

export const SEVERITIES = ["deny", "warn", "off"] as const;
export type Severity = typeof SEVERITIES[number];

/** What a rule found wrong. */
export interface Finding {
  readonly reason: string;
  readonly hint?: string;
  /** A finding may be milder than its rule's severity. */
  readonly severity?: "warn";
  /** The versions that it is about, for waivers. @default all versions of the operation */
  readonly versions?: readonly string[];
  /** The channels that it is about, for waivers. @default all channels that the operation touches */
  readonly channels?: readonly string[];
}

/** A rule with the types of its own parameters. */
export interface RuleDefinition<P extends Parameters> {
  readonly id: string;
  /** One line: what it protects. */
  readonly purpose: string;
  /** What to do when it denies: for `policy explain` and the documentation. */
  readonly hint: string;
  /** A rule with required parameters is off until they are given. */
  readonly severity: Severity;
  /** Exit code class of a denial. @default "policy" */
  readonly denial?: "policy" | "dependency";
  readonly parameters?: P;
  /** What it judges; a parameter named `operations` replaces it. */
  readonly operations: readonly OperationKind[];
  /** Where it has nothing to say of an operation that it judges. @default always */
  readonly appliesTo?: (facts: PolicyFacts, values: Values<P>) => boolean;
  /** Empty when the rule is kept. */
  readonly check: (facts: PolicyFacts, values: Values<P>) => readonly Finding[];
}

/** Any rule, as the engine sees it. */
export interface Rule extends Omit<RuleDefinition<Parameters>, "appliesTo" | "check"> {
  readonly appliesTo?: (facts: PolicyFacts, values: ParameterValues) => boolean;
  readonly check: (facts: PolicyFacts, values: ParameterValues) => readonly Finding[];
}

/** A rule whose `check` sees the types of its parameters. */
export function defineRule<const P extends Parameters = Record<never, never>>(rule: RuleDefinition<P>): Rule {
  return rule as unknown as Rule; // the engine gives a rule only values that were read by its own parameters
}

/** Names of the parameters without which the rule says nothing. */
export function requiredParameters(rule: Rule): readonly string[] {
  return Object.entries(rule.parameters ?? {}).flatMap(([name, parameter]) =>
    parameter.required ? [name] : []
  );
}
