/** Recovery of a repository before anything else is done to it, with its history and audit. */
import { loadSigner, type Signer } from "#/audit/sign.ts";
import { ExitCode, RollbackAtomicError, UnfinishedOperationError, UsageError } from "#/core/errors.ts";
import { type RecoverOptions, recoverUnfinished, type Recovery } from "#/operation/recover.ts";
import { record } from "#/release/record.ts";
import { takenBackReport } from "#/release/report_base.ts";
import type { Scope } from "#/release/scope.ts";
import { loadIndex } from "#/repository/index_file.ts";
import type { OperationReport } from "#/report/model.ts";
import type { HeldLock } from "#/storage/lock.ts";
import { verifyOutcome } from "#/verify/release_checks.ts";

/** Recovers what is unfinished, under the lock. An earlier holder that may still wake up is kept out first. */
export async function recoverScope(scope: Scope, held: HeldLock): Promise<readonly Recovery[]> {
  const recoveries = await recoverUnfinished(scope.store, {
    fence: fenceFor(scope, held),
    outwait: () => held.outwait(scope.signal),
    uid: scope.uid,
    verify: verifyOutcome,
    record: (recovery) => recordRecovery(scope, recovery),
    onRecovering: (journal, direction) =>
      scope.emit({
        event: "recovering",
        time: scope.now().toISOString(),
        id: journal.id,
        operation: journal.title,
        direction,
      }),
  });
  await scope.store.removeLeftovers();
  return recoveries;
}

function fenceFor({ store }: Scope, held: HeldLock): RecoverOptions["fence"] {
  if (store.capabilities.remote || !held.isDeathCertain) return "first";
  return held.takenFrom === undefined ? "back" : "none";
}

async function recordRecovery(scope: Scope, recovery: Recovery): Promise<void> {
  const { journal } = recovery;
  if (journal === undefined) return;
  const { index } = await loadIndex(scope.store);
  const recorded = await record(scope.store, {
    id: journal.id,
    report: recoveredReport(recovery, journal.report, index.serial ?? 0),
    journal,
    finishedAt: scope.now().toISOString(),
    auditHint: index.last_operation === journal.id ? index.audit_head : undefined,
    signer: scope.signer ?? signerOf(journal.signing_key_file),
    machineId: scope.machineId,
    again: true,
  });
  if (recorded.complete) return;
  throw new UnfinishedOperationError(`Cannot record the ${recovery.title}: ${recorded.warnings.join("; ")}`, {
    hint: "The repository is right already. Mend the audit log's folder, then run `backout recover`.",
    context: { operation: journal.id },
  });
}

/** The key of the interrupted operation, where it can still be read: recovery does not fail for it. */
function signerOf(file: string | null): Signer | undefined {
  try {
    return file === null ? undefined : loadSigner(file);
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

function recoveredReport(recovery: Recovery, report: OperationReport, serial: number): OperationReport {
  if (recovery.direction === "back") {
    const error = new RollbackAtomicError(
      `The ${recovery.title} was interrupted; it was taken back by recovery`,
    );
    return takenBackReport(report, error, serial);
  }
  const passed = recovery.verification.every((check) => check.passed);
  return {
    ...report,
    steps: report.steps.map((step) => ({ ...step, status: "done" })),
    verification: recovery.verification,
    warnings: [...report.warnings, ...recovery.warnings],
    status: passed ? "success" : "partial",
    exit_code: passed ? ExitCode.done : ExitCode.verification,
    summary: `The ${recovery.title} was interrupted; it was finished by recovery`,
  };
}

/** What was recovered, as the report and its warnings show it. */
export function noteRecoveries(report: OperationReport, recoveries: readonly Recovery[]): OperationReport {
  if (recoveries.length === 0) return report;
  return {
    ...report,
    recovered: recoveries.map(({ id, title, direction }) => ({ id, operation: title, direction })),
    warnings: [...report.warnings, ...recoveries.map(recoverySentence)],
  };
}

export function recoverySentence(recovery: Recovery): string {
  return recovery.direction === "forward"
    ? `The interrupted ${recovery.title} was finished first`
    : `The interrupted ${recovery.title} was taken back first; all was as before`;
}
