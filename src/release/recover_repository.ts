/** Recovery as an operation of its own: nothing else is done, and who wants to know is told. */
import { ExitCode, UsageError } from "#/core/errors.ts";
import { newOperationId } from "#/core/ids.ts";
import type { Recovery } from "#/operation/recover.ts";
import { asStop, failed } from "#/release/failure.ts";
import { requireRepository } from "#/release/read_releases.ts";
import { recoverScope, recoverySentence } from "#/release/recover_scope.ts";
import { baseReport } from "#/release/report_base.ts";
import { acquireLock, openScope, type Scope, seconds } from "#/release/scope.ts";
import { afterRecovery, tell } from "#/release/surroundings.ts";
import { loadIndex } from "#/repository/index_file.ts";
import type { RepositoryOptions } from "#/repository/options.ts";
import type { RecoverResult } from "#/repository/views.ts";
import type { OperationReport } from "#/report/model.ts";

export interface RecoverRepositoryOptions extends RepositoryOptions {
  /** Given the same as a report, also before a failure is thrown. */
  readonly onReport?: (report: OperationReport) => void;
}

interface Recovered {
  readonly recoveries: readonly Recovery[];
  readonly serial: number;
  readonly warnings: readonly string[];
}

/** Recovers what is unfinished, and does nothing else. @throws {RollbackError} */
export async function recoverRepository(options: RecoverRepositoryOptions): Promise<RecoverResult> {
  const scope = await openScope(options);
  const started = scope.now();
  const id = newOperationId(started);
  const base: OperationReport = {
    ...baseReport(
      { operation: "recover", version: "", rollbackType: null },
      scope,
      options,
      started.toISOString(),
    ),
    rollback_id: id,
    policy_passed: true,
    dependencies_satisfied: true,
  };
  const clock = performance.now();
  let recovered: Recovered;
  try {
    recovered = await recover(scope, options, id);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const cause = asStop(error, scope);
    const report = await tell(scope, options, {
      ...failed(base, cause),
      rollback_duration_seconds: seconds(clock),
    }, true);
    for (const message of report.warnings) {
      scope.emit({ event: "warning", time: scope.now().toISOString(), message });
    }
    options.onReport?.(report);
    throw cause;
  }
  const { recoveries } = recovered;
  const done = reportOf(base, recovered, seconds(clock));
  const report = await tell(scope, options, done, recoveries.length > 0);
  options.onReport?.(report);
  return {
    repository: scope.store.location,
    recovered: recoveries.map((recovery) => ({
      id: recovery.id,
      operation: recovery.title,
      direction: recovery.direction,
      summary: recoverySentence(recovery),
    })),
    warnings: report.warnings,
  };
}

async function recover(scope: Scope, options: RepositoryOptions, id: string): Promise<Recovered> {
  await requireRepository(scope.store);
  await using held = await acquireLock(scope, id, "recover", "");
  const recoveries = await recoverScope(scope, held);
  const afterwards = await afterRecovery(scope, options.around, id, held, recoveries);
  const warnings = [...held.warnings, ...afterwards];
  const { index } = await loadIndex(scope.store);
  return { recoveries, serial: index.serial ?? 0, warnings };
}

function reportOf(base: OperationReport, recovered: Recovered, duration: number): OperationReport {
  const { recoveries, serial, warnings } = recovered;
  const versions = recoveries.flatMap(({ journal }) => journal?.report.versions ?? []);
  return {
    ...base,
    versions: [...new Set(versions)],
    version_exists: recoveries.length > 0,
    status: "success",
    exit_code: ExitCode.done,
    serial_before: serial,
    serial_after: serial,
    rollback_duration_seconds: duration,
    recovered: recoveries.map(({ id, title, direction }) => ({ id, operation: title, direction })),
    warnings,
    summary: recoveries.length === 0
      ? "Nothing to recover: no operation was unfinished"
      : recoveries.map(recoverySentence).join("; "),
  };
}
