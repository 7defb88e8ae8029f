/** Recovery of a workspace as an operation of its own: nothing else is done, and who wants to know is told. */
import { ExitCode } from "#/core/errors.ts";
import type { OperationReport } from "#/report/model.ts";
import type { RecoverResult } from "#/repository/views.ts";
import { runChange } from "./change.ts";
import { unfinishedTargetIds } from "./journal.ts";
import type { WorkspaceOptions } from "./options.ts";
import type { TargetRecovery } from "./recover_targets.ts";
import { inWorkspace, type Workspace } from "./workspace.ts";

export interface RecoverWorkspaceOptions extends WorkspaceOptions {
  /** Given the same as a report, also before a failure is thrown. */
  readonly onReport?: (report: OperationReport) => void;
}

/**
 * Recovers what is unfinished. A folder where nothing is leaves no trace, not even a lock.
 * @throws {RollbackError} something needs a person, or somebody else is at work
 */
export async function recoverWorkspace(options: RecoverWorkspaceOptions): Promise<RecoverResult> {
  const { dryRun: _ignored, ...rest } = options;
  if (!await inWorkspace(rest, isSomethingLeft)) {
    return { repository: options.folder, recovered: [], warnings: [] };
  }
  let found: readonly TargetRecovery[] = [];
  const definition = { operation: "recover", title: "recover", version: "", whileWaiting: true } as const;
  let failure: unknown;
  const onFailure = (error: unknown) => failure = error;
  const report = await runChange(rest, { ...definition, onFailure }, (change) => {
    found = change.recoveries;
    const summary = found.length === 0
      ? "Nothing to recover: no operation was unfinished"
      : found.map((recovery) => recovery.summary).join("; ");
    change.report = {
      ...change.report,
      policy_passed: true,
      dependencies_satisfied: true,
      versions: [...new Set(found.map(({ plan }) => plan.snapshot))],
      version_exists: found.length > 0,
      status: "success",
      exit_code: ExitCode.done,
      summary,
    };
    return Promise.resolve();
  });
  options.onReport?.(report);
  if (report.error !== null) throw failure;
  return {
    repository: options.folder,
    recovered: found.map(({ id, title, direction, summary }) => ({
      id,
      operation: title,
      direction,
      summary,
    })),
    warnings: report.warnings,
  };
}

/** A journal, or only the lock of a process that is gone: it died in its hooks. */
export async function isSomethingLeft({ scope }: Workspace): Promise<boolean> {
  if ((await unfinishedTargetIds(scope)).length > 0) return true;
  return (await scope.lock.inspect())?.state === "dead";
}
