/** Execute: prepare, commit, finish; and what happens when one of them fails. Then verify and record. */
import {
  ExitCode,
  messageOf,
  RollbackBackupError,
  RollbackError,
  UnfinishedOperationError,
} from "#/core/errors.ts";
import { type Journal, journalKey, removeOperation } from "#/operation/journal.ts";
import type { RefusedDeletion } from "#/operation/delete_backup.ts";
import * as phases from "#/operation/phases.ts";
import { isCommittedAfterAll } from "#/release/commit_outcome.ts";
import { stepsWithRefusals, withRefusals } from "#/release/refused_deletions.ts";
import type { Definition, Planned } from "#/release/definition.ts";
import { auditHead, record, type RecordResult } from "#/release/record.ts";
import { completed, takenBackReport } from "#/release/report_base.ts";
import { batch, type Scope, withReserve } from "#/release/scope.ts";
import { assemble, type Head } from "#/release/assemble.ts";
import { StepClock } from "#/release/step_clock.ts";
import { loadIndex } from "#/repository/index_file.ts";
import type { RepositoryView } from "#/repository/inspect.ts";
import type { OperationReport } from "#/report/model.ts";
import type { Binding, RepositoryStep } from "#/step/repository_step.ts";
import { mayHappenLater } from "#/storage/bucket/bucket_error.ts";
import { ConflictError } from "#/storage/object_store.ts";
import { verifyOutcome } from "#/verify/release_checks.ts";

export interface ExecuteContext {
  readonly binding: Binding;
  readonly tolerant: boolean;
  /** Given the report as it stands, so that a failure can show how far it came. */
  readonly onReport: (report: OperationReport) => void;
  /** Called when an operation that was taken back is in the log already, so that it is not recorded twice. */
  readonly onRecorded: (recorded: RecordResult) => void;
}

/** What a failure after the commit needs to be recorded. */
interface FinishContext extends Pick<ExecuteContext, "onRecorded"> {
  readonly head: Head;
}

export interface Executed {
  readonly report: OperationReport;
  readonly recorded: RecordResult;
}

/** Space set aside for the journal of a later rollback on a full disk, beyond three times the index. */
const RESERVE_BYTES = 1024 * 1024;

/** Steps that can only go on. */
const DELETING: ReadonlySet<RepositoryStep["kind"]> = new Set([
  "delete_backup",
  "prune_history",
  "remove_audit_entries",
]);

/** A run of a plan under the lock. */
export async function execute<V extends RepositoryView>(
  scope: Scope,
  definition: Definition<V>,
  planned: Planned<V>,
  context: ExecuteContext,
): Promise<Executed> {
  const { store } = scope;
  const { view, plan } = planned;
  const steps = new StepClock(scope, planned.report);
  const prepared = await definition.prepare(store, view, plan, {
    ...batch(scope, "checking"),
    binding: context.binding,
    host: scope.host,
    reason: planned.report.reason,
    tolerant: context.tolerant,
    signer: scope.signer,
  });
  const head = await auditHead(store, view.index.audit_head);
  const { journal, preparation } = assemble(scope, planned, prepared, context.binding, head);
  await prepareOrDiscard(scope, journal, preparation, steps);
  await commitOrDiscard(scope, journal, view.indexTag, steps);
  scope.emit({ event: "committed", time: scope.now().toISOString(), serial: journal.index.serial_after });
  const finished = await finishOrCompensate(scope, journal, steps, { ...context, head });
  if (finished instanceof Error) {
    context.onReport({
      ...takenBackReport(journal.report, finished, await serialNow(scope, journal)),
      errors: [],
      steps: steps.takenBack(),
    });
    throw finished;
  }
  const verification = await verifyOutcome(store, journal);
  const told = withRefusals(journal.report, finished);
  const report = completed(
    definition,
    told,
    stepsWithRefusals(steps.done(), journal, finished),
    verification,
  );
  const recorded = await recordAndForget(scope, journal, report, head, preparation.newIndex.length);
  return { report, recorded };
}

async function prepareOrDiscard(
  scope: Scope,
  journal: Journal,
  preparation: phases.Preparation,
  steps: StepClock,
): Promise<void> {
  steps.enterPreparation(journal.steps);
  try {
    await prepareWithReserve(scope, journal, preparation);
    await new Promise((resolve) => setTimeout(resolve, 0)); // small releases give a signal no other turn to be seen
    scope.signal?.throwIfAborted();
  } catch (error) {
    if (error instanceof UnfinishedOperationError) throw error; // somebody else recovered it
    await discardOrExplain(scope, journal, error);
    throw preparationError(journal, error);
  }
}

/** On a full disk the space that was set aside is given to the journal. */
async function prepareWithReserve(
  scope: Scope,
  journal: Journal,
  preparation: phases.Preparation,
): Promise<void> {
  const { store } = scope;
  const options = batch(scope, "copying");
  await withReserve(scope, () => phases.prepare(store, journal, preparation, options), async () => {
    await phases.discard(store, journal);
    await removeOperation(store, journal.id);
  });
}

async function discardOrExplain(scope: Scope, journal: Journal, cause: unknown): Promise<void> {
  try {
    // Without its journal nothing was made yet, or somebody else recovered it and what is there now is theirs.
    if (await scope.store.stat(journalKey(journal.id)) !== undefined) {
      await phases.discard(scope.store, journal);
    }
    await removeOperation(scope.store, journal.id);
  } catch (error) {
    throw new UnfinishedOperationError(
      `The ${journal.title} failed (${messageOf(cause)}), and what was prepared could not be removed: ${
        messageOf(error)
      }`,
      {
        hint: "The release itself was not touched. Mend the cause, then run `backout recover`.",
        context: { operation: journal.id },
        cause: error,
      },
    );
  }
}

/** Space and permission while a backup is made or read are a backup's failure. */
function preparationError(journal: Journal, error: unknown): unknown {
  if (!(error instanceof RollbackError) || error instanceof ConflictError) return error;
  const errno = error.context.errno;
  if (error.code !== ExitCode.storage || typeof errno !== "string") return error;
  if (journal.report.operation === "publish") return error;
  return new RollbackBackupError(`Could not prepare the ${journal.title}: ${error.message}`, {
    hint: error.hint ?? "Nothing was changed. Make room or mend the permissions, then run the command again.",
    context: error.context,
    cause: error,
  });
}

async function commitOrDiscard(
  scope: Scope,
  journal: Journal,
  indexTag: string | null,
  steps: StepClock,
): Promise<void> {
  steps.begin("commit_index");
  await phases.refuseIfRecovered(scope.store, journal);
  try {
    await phases.commit(scope.store, journal, indexTag);
  } catch (error) {
    if (await isCommittedAfterAll(scope.store, journal, error)) return;
    await discardOrExplain(scope, journal, error);
    throw error;
  }
}

/** @returns the error of an operation that was taken back; the deletions that were refused when it is finished */
async function finishOrCompensate(
  scope: Scope,
  journal: Journal,
  steps: StepClock,
  context: FinishContext,
): Promise<Error | readonly RefusedDeletion[]> {
  try {
    const { changed, refused } = await finishWithReserve(scope, journal, steps);
    if (changed.length === 0) return refused;
    throw new RollbackBackupError(`${changed.slice(0, 3).join(", ")} changed while it was being backed up`, {
      hint: "Stop what writes there, then run the command again.",
    });
  } catch (cause) {
    return await compensateOrExplain(scope, journal, cause, context);
  }
}

/** `index.md` needs space too. What was finished before stays so when it is done again. */
async function finishWithReserve(
  scope: Scope,
  journal: Journal,
  steps: StepClock,
): Promise<phases.Finished> {
  const onStep = (step: RepositoryStep) => steps.beginStep(step);
  return await withReserve(scope, () => phases.finish(scope.store, journal, onStep));
}

async function compensateOrExplain(
  scope: Scope,
  journal: Journal,
  cause: unknown,
  context: FinishContext,
): Promise<Error> {
  // What is deleted for good does not come back: a half deleted backup must not be listed as whole again, and an archive
  // of the audit log may be the only place of the entries that went already.
  if (deletes(journal)) return unfinished(journal, cause);
  // A removal that the service carries out later would take what is put back now: only going on is safe.
  if (mayHappenLater(cause)) return unfinished(journal, cause);
  try {
    await phases.compensate(scope.store, journal);
  } catch (error) {
    return new UnfinishedOperationError(
      `The ${journal.title} failed (${messageOf(cause)}), and it could not be taken back: ${
        messageOf(error)
      }`,
      {
        hint: "Mend the cause, then run `backout recover`.",
        context: { operation: journal.id },
        cause: error,
      },
    );
  }
  const error = phases.takenBackError(journal, cause);
  const report = takenBackReport(journal.report, error, await serialNow(scope, journal));
  context.onRecorded(await recordAndForget(scope, journal, report, context.head, 0));
  return error;
}

/** The serial as it stands, for the report of a failure; as planned where it cannot be read. */
async function serialNow(scope: Scope, journal: Journal): Promise<number> {
  try {
    return (await loadIndex(scope.store)).index.serial ?? 0;
  } catch {
    return journal.index.serial_after; // the failure itself is what gets reported
  }
}

function deletes(journal: Journal): boolean {
  return journal.steps.some(({ kind }) => DELETING.has(kind));
}

function unfinished(journal: Journal, cause: unknown): UnfinishedOperationError {
  const so = deletes(journal) ? "Part of it may be gone for good." : "The index is right already.";
  return new UnfinishedOperationError(`The ${journal.title} is not finished: ${messageOf(cause)}`, {
    hint: `${so} Mend the cause, then run \`backout recover\`: it finishes the rest.`,
    context: { operation: journal.id },
    cause,
  });
}

async function recordAndForget(
  scope: Scope,
  journal: Journal,
  report: OperationReport,
  head: Head,
  indexBytes: number,
): Promise<RecordResult> {
  const input = {
    id: journal.id,
    report,
    journal,
    finishedAt: scope.now().toISOString(),
    auditHint: head,
    signer: scope.signer,
    machineId: scope.machineId,
    again: false,
  };
  let recorded = await record(scope.store, input);
  if (!recorded.complete) {
    await scope.store.releaseReserve(); // on a full disk the space that was set aside takes the record
    recorded = await record(scope.store, { ...input, again: true });
  }
  // Without its audit entry and history the operation stays in the journal: the next command records it.
  if (!recorded.complete) return recorded;
  await removeOperation(scope.store, journal.id);
  if (indexBytes > 0) await scope.store.keepReserve(RESERVE_BYTES + 3 * indexBytes);
  return recorded;
}
