/** The report of an operation before anything is known of it. */
import type { RecordResult } from "#/release/record.ts";
import { ExitCode, RollbackError, VerificationError } from "#/core/errors.ts";
import type { Definition } from "#/release/definition.ts";
import type { Scope } from "#/release/scope.ts";
import type { OperationReport, ReportError, StepReport, VerificationResult } from "#/report/model.ts";
import type { ChangeOptions } from "#/repository/options.ts";

/** The report with what became of its record; whoever watches is told that it is over. */
export function finishedReport(
  scope: Pick<Scope, "now" | "emit">,
  report: OperationReport,
  recorded: RecordResult | undefined,
): OperationReport {
  const finished: OperationReport = {
    ...report,
    audit_log_created: recorded?.created ?? false,
    audit_log_signed: recorded?.signed ?? false,
    warnings: [...new Set([...report.warnings, ...recorded?.warnings ?? []])],
  };
  const { status, exit_code, summary } = finished;
  scope.emit({ event: "finished", time: scope.now().toISOString(), status, exit_code, summary });
  return finished;
}

export function baseReport(
  definition: Pick<Definition, "operation" | "version" | "rollbackType">,
  scope: Scope,
  options: ChangeOptions,
  at: string,
): OperationReport {
  return {
    format: 1,
    operation: definition.operation,
    version: definition.version,
    versions: [],
    status: "failed",
    timestamp: at,
    rollback_type: definition.rollbackType,
    rollback_id: null,
    repository_type: scope.store.type,
    repository_location: scope.store.location,
    policy_mode: options.policyMode ?? "strict",
    forced: options.force ?? false,
    reason: options.reason ?? "",
    by: scope.by,
    host: scope.host,
    dry_run: options.dryRun ?? false,
    version_exists: false,
    policy_passed: false,
    dependencies_satisfied: false,
    policy: [],
    ...NOTHING_HAPPENED,
    rollback_duration_seconds: 0,
    serial_before: 0,
    serial_after: 0,
    manifest_created: false,
    audit_log_created: false,
    audit_log_signed: false,
    ...NO_INTENTIONS,
    steps: [],
    verification: [],
    recovered: [],
    undo: null,
    warnings: [],
    errors: [],
    error: null,
    exit_code: ExitCode.rollback,
    summary: "",
  };
}

/** An error as reports show it. Anything that is not one of ours is a defect: it says so. */
export function toError(error: unknown): ReportError {
  if (error instanceof RollbackError) {
    return {
      code: error.code,
      kind: error.kind,
      message: error.message,
      hint: error.hint ?? null,
      context: error.context,
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: ExitCode.rollback,
    kind: "unexpected",
    message: `Unexpected error: ${message}`,
    hint: "This is a defect of backout. Run the command again with -v and report what it prints.",
    context: {},
  };
}

/** The numbers of an operation that changed nothing in the end. */
export const NOTHING_HAPPENED = {
  artifacts_removed: [],
  total_artifacts_removed: 0,
  total_bytes_freed: 0,
  bytes_reclaimed: 0,
  artifacts_restored: [],
  artifacts_published: [],
  total_bytes_added: 0,
  artifacts_kept: [],
  channels_moved: [],
  index_updated: false,
  backup: [],
  backup_created: false,
} as const satisfies Partial<OperationReport>;

/** What only a dry run shows. */
export const NO_INTENTIONS = {
  artifacts_to_remove: [],
  index_entry_to_remove: null,
  estimated_duration_seconds: null,
} as const satisfies Partial<OperationReport>;

/** What recovery and compensation record of an operation that did not happen after all. */
export function takenBackReport(
  report: OperationReport,
  error: unknown,
  serialAfter: number,
): OperationReport {
  const shown = toError(error);
  return {
    ...report,
    ...NOTHING_HAPPENED,
    status: "failed",
    serial_after: serialAfter,
    undo: null,
    error: shown,
    errors: [shown.message],
    exit_code: shown.code,
    summary: shown.message,
  };
}

/** The report of an operation that was done; what verify found wrong makes it partial. */
export function completed(
  definition: Pick<Definition, "summary">,
  report: OperationReport,
  steps: readonly StepReport[],
  verification: readonly VerificationResult[],
): OperationReport {
  const wrong = verification.filter((check) => !check.passed);
  const done: OperationReport = {
    ...report,
    steps,
    verification,
    status: "success",
    exit_code: ExitCode.done,
  };
  if (wrong.length === 0) return { ...done, summary: definition.summary(done) };
  const error = new VerificationError(
    `Done, but not as it should be: ${wrong.map((check) => check.detail).join("; ")}`,
    {
      hint: "See `backout doctor` and `backout release verify`.",
    },
  );
  return {
    ...done,
    status: "partial",
    exit_code: error.code,
    error: toError(error),
    errors: [error.message],
    summary: error.message,
  };
}
