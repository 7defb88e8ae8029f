/** Whether a failure is to be rolled back without asking anybody. Pure. */
import type { JsonValue } from "#/core/json.ts";
import { type Expression, ExpressionError, parseExpression } from "#/policy/expression.ts";
import { failureFacts } from "#/policy/failure_view.ts";
import { own, type Path, type Problems, readBlock, readText } from "#/policy/problem.ts";
import type { AutomaticSetting, PolicySettings } from "#/policy/settings.ts";
import { type PolicyFacts, snapshotPolicyFacts } from "#/policy/view.ts";
import { NO_SNAPSHOT } from "#/policy/snapshot_view.ts";

export interface AutomaticDecision {
  readonly status: "automatic_rollback_required" | "manual_decision_required" | "no_rollback_required";
  /** Why, in one sentence. */
  readonly reason: string;
  /** The checks of the rollback, as they are written; empty unless it is required. */
  readonly validation_tests: readonly JsonValue[];
}

/**
 * What the policy says of a failure. An expression that cannot be judged rolls nothing back: a person decides.
 * @param context what the other program says of the failure
 * @throws {TypeError} an expression is wrong; the policy's check has found that before
 */
export function automaticRollback(
  settings: Pick<PolicySettings, "automatic"> | undefined,
  context: unknown,
  now: Date,
): AutomaticDecision {
  const list = [settings?.automatic ?? []].flat() as readonly AutomaticSetting[];
  const facts = factsOf(context, now);
  const doubts: string[] = [];
  for (const { when, tests = [] } of list) {
    const parsed = parseExpression(when, "failure");
    if ("problem" in parsed) throw new TypeError(parsed.problem.message);
    const answer = judge(parsed.expression, facts);
    if (answer === true) {
      return {
        status: "automatic_rollback_required",
        reason: `the policy rolls back when ${inOneLine(when)}`,
        validation_tests: tests as readonly JsonValue[],
      };
    }
    if (answer !== false) doubts.push(`${inOneLine(when)} cannot be judged: ${answer}`);
  }
  if (doubts.length > 0) {
    return { status: "manual_decision_required", reason: doubts.join("; "), validation_tests: [] };
  }
  const reason = list.length === 0
    ? "the policy names no failure that is rolled back automatically"
    : "it is none of the failures that the policy rolls back automatically";
  return { status: "no_rollback_required", reason, validation_tests: [] };
}

/** True, false, or why neither. */
function judge(expression: Expression, facts: PolicyFacts): boolean | string {
  try {
    return expression.isTrue(facts);
  } catch (error) {
    if (error instanceof ExpressionError) return error.message;
    throw error;
  }
}

function inOneLine(text: string): string {
  return text.trim().replaceAll(/\s+/g, " ");
}

function factsOf(context: unknown, now: Date): PolicyFacts {
  const operation = {
    kind: "snapshot_restore",
    mode: "strict",
    forced: false,
    dry_run: false,
    signed: false,
    reason: "",
  } as const;
  const user = { name: "", host: "" };
  const facts = snapshotPolicyFacts({ operation, workspace: "", snapshot: NO_SNAPSHOT, user, now });
  return { ...facts, failure: failureFacts(context) };
}

/** Notes what is wrong with the setting; its tests are read by whoever knows the checks. */
export function readAutomatic(value: unknown, path: Path, problems: Problems): void {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  list.forEach((item, i) => {
    const at = Array.isArray(value) ? [...path, i] : path;
    const block = readBlock(item, at, ["when", "tests"], problems);
    if (block === undefined) return;
    const when = readText(block, "when", at, problems, "'failure.kind == \"deployment\"'");
    const tests = own(block, "tests");
    if (tests !== undefined && !Array.isArray(tests)) {
      problems.value(
        [...at, "tests"],
        "must be a list of checks",
        "As in checks: [{type: file_exists, path: /a}].",
      );
    }
    if (when === undefined) return;
    const parsed = parseExpression(when, "failure");
    if ("problem" in parsed) {
      const { at: within, message, hint } = parsed.problem;
      problems.add({ path: [...at, "when"], within, message: `the expression: ${message}`, hint });
    }
  });
}
