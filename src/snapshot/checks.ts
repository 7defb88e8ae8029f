/** The checks after a restore. */
import type { CheckOutcome, OperationReport } from "#/report/model.ts";
import type { Change } from "./change.ts";
import type { RestoreSnapshotOptions } from "./options.ts";

/** Runs them all. @throws when the operation is stopped */
export async function runRestoreChecks(
  change: Change,
  options: RestoreSnapshotOptions,
): Promise<readonly CheckOutcome[]> {
  if (options.checks.length === 0) return [];
  const { runChecks } = await import("#/verify/run_checks.ts");
  const { folder, scope } = change.workspace;
  return await runChecks(options.checks, {
    folder,
    env: options.env,
    signal: scope.signal ?? new AbortController().signal,
    offline: options.offline ?? false,
  });
}

/** Checks that must pass and do not. */
export function failedRequired({ snapshot }: OperationReport): readonly CheckOutcome[] {
  return (snapshot?.checks ?? []).filter(({ passed, required }) => required && !passed);
}
