/** How an operation that could not be done is reported. */
import { InterruptedError, RollbackBackupError, RollbackDryRunError, RollbackError } from "#/core/errors.ts";
import type { Definition } from "#/release/definition.ts";
import { NO_INTENTIONS, NOTHING_HAPPENED, toError } from "#/release/report_base.ts";
import { type Scope, stopReason } from "#/release/scope.ts";
import type { OperationReport } from "#/report/model.ts";

/** The report of an operation that ended in an error. */
export function failed(report: OperationReport, error: unknown): OperationReport {
  const shown = toError(error);
  return {
    ...report,
    ...NOTHING_HAPPENED,
    ...(report.dry_run ? {} : NO_INTENTIONS),
    status: "failed",
    error: shown,
    errors: [...report.errors, shown.message],
    exit_code: shown.code,
    summary: shown.message,
    undo: null,
    steps: report.steps.map((step) => step.status === "planned" ? { ...step, status: "skipped" } : step),
  };
}

/** An abort by a signal is reported as such, whatever call it surfaced in. */
export function asStop(error: unknown, scope: Scope): unknown {
  const reason = stopReason(scope.signal);
  if (reason === undefined || error instanceof RollbackError && !isAbort(error, scope)) return error;
  return new InterruptedError(reason, { cause: error });
}

function isAbort(error: RollbackError, scope: Scope): boolean {
  return error.cause !== undefined && error.cause === scope.signal?.reason;
}

type Titled = Pick<Definition, "operation" | "title">;

/** The refusal of an operation whose execution would fail. */
export function cannotStart(definition: Titled, problems: readonly string[]): RollbackBackupError {
  return new RollbackBackupError(`Cannot ${definition.title}: ${problems.join("; ")}`, {
    hint: `Nothing was touched. ${mendHint(definition)}`,
    context: { problems },
  });
}

/** The same, found by a dry run. */
export function wouldFail(definition: Titled, problems: readonly string[]): RollbackDryRunError {
  return new RollbackDryRunError(`A real run would fail: ${problems.join("; ")}`, {
    hint: mendHint(definition),
    context: { problems },
  });
}

/** Only a rollback can skip what is damaged. */
function mendHint({ operation }: Titled): string {
  const skip =
    " What is damaged or missing can be skipped with --policy lenient, or with --force and --reason.";
  return `Mend this first.${operation === "rollback" ? skip : ""}`;
}
