/** Custom rules: an expression that is true when something is wrong. */
import { type Expression, ExpressionError, parseExpression } from "#/policy/expression.ts";
import type { ExpressionProblem } from "#/policy/expression_cost.ts";
import type { Finding, PolicyFacts, Rule } from "#/policy/rule.ts";
import type { CustomRuleSetting } from "#/policy/settings.ts";
import { OPERATION_KINDS } from "#/policy/view.ts";
import type { OperationKind } from "#/report/model.ts";

export type MadeRule = { readonly rule: Rule } | { readonly problem: ExpressionProblem };

/** A rule like the built-in ones. */
export function makeCustomRule(setting: CustomRuleSetting): MadeRule {
  const parsed = parseExpression(setting.when);
  if ("problem" in parsed) return parsed;
  const { id, message, hint = `A rule of your own backout.yaml: ${message}.` } = setting;
  return {
    rule: {
      id,
      purpose: `it is not so that ${setting.when.trim().replaceAll(/\s+/g, " ")}`,
      hint,
      severity: setting.severity ?? "deny",
      operations: setting.operations ?? meant(parsed.expression.variables),
      check: (facts) => check(parsed.expression, facts, message, setting.hint),
    },
  };
}

/** An expression about releases says nothing of rollback points, and the other way round. */
function meant(variables: ReadonlySet<string>): readonly OperationKind[] {
  const ofSnapshots = (kind: OperationKind) => /^(snapshot_.*|confirm|guard)$/.test(kind);
  if (variables.has("snapshot")) return OPERATION_KINDS.filter(ofSnapshots);
  return RELEASE_VARIABLES.some((name) => variables.has(name))
    ? OPERATION_KINDS.filter((kind) => !ofSnapshots(kind))
    : OPERATION_KINDS;
}

const RELEASE_VARIABLES = ["release", "labels", "plan", "repository"];

/** A rule that cannot be judged is not kept: whoever wrote it meant it to stop something. */
function check(
  expression: Expression,
  facts: PolicyFacts,
  message: string,
  hint: string | undefined,
): readonly Finding[] {
  try {
    if (!expression.isTrue(facts)) return [];
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    return [{
      reason: `its expression cannot be judged: ${error.message}`,
      hint: "Mend it in backout.yaml: ask with has() for what may not be there.",
    }];
  }
  return [{ reason: message, ...(hint === undefined ? {} : { hint }) }];
}
