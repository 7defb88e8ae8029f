/** Recovery: brings a repository with unfinished operations to the state before or the state after each of them. */
import { UnfinishedOperationError } from "#/core/errors.ts";
import { fence } from "#/operation/fence.ts";
import { readHistory } from "#/operation/history.ts";
import {
  type Direction,
  type Journal,
  journalKey,
  readDirection,
  readJournal,
  removeOperation,
  unfinishedIds,
  writeDirection,
} from "#/operation/journal.ts";
import { refusedSentence } from "#/operation/delete_backup.ts";
import { compensate, discard, finish, type Finished, isCommitted, redoCommit } from "#/operation/phases.ts";
import { loadIndex } from "#/repository/index_file.ts";
import type { VerificationResult } from "#/report/model.ts";
import type { ObjectStore } from "#/storage/object_store.ts";

/** One operation that was recovered. */
export interface Recovery {
  readonly id: string;
  readonly title: string;
  readonly direction: Direction;
  /** Undefined when the operation had stopped before it wrote a journal: nothing had happened. */
  readonly journal: Journal | undefined;
  readonly verification: readonly VerificationResult[];
  readonly warnings: readonly string[];
}

export interface RecoverOptions {
  /**
   * Where the last holder of the lock may still wake up, its next write of the index must fail: `first` before anything
   * is decided (it may be committing right now), `back` only before an operation is taken back.
   */
  readonly fence: "first" | "back" | "none";
  /** Waits until nothing that the last holder sent can take effect any more. */
  readonly outwait: () => Promise<void>;
  /** The user who recovers; null where there are no users. */
  readonly uid: number | null;
  readonly verify: (store: ObjectStore, journal: Journal) => Promise<readonly VerificationResult[]>;
  /** Writes history and audit; called before the journal goes, and must do its work only once per operation. */
  readonly record: (recovery: Recovery) => Promise<void>;
  readonly onRecovering?: (journal: Journal, direction: Direction) => void;
}

/**
 * Recovers everything that is unfinished, oldest first. The caller holds the lock.
 * @throws {UnfinishedOperationError} when an operation needs a person
 */
export async function recoverUnfinished(
  store: ObjectStore,
  options: RecoverOptions,
): Promise<readonly Recovery[]> {
  const recoveries: Recovery[] = [];
  for (const id of await unfinishedIds(store)) {
    await refuseForeignJournal(store, id, options.uid);
    if (options.fence === "first") await fence(store, id);
    await options.outwait();
    const journal = await readJournal(store, id);
    if (journal === undefined || await isOver(store, journal)) {
      await removeOperation(store, id);
      continue;
    }
    recoveries.push(await recoverOne(store, journal, options));
  }
  return recoveries;
}

/**
 * True for a journal that came late: its operation was recorded, and removed it, before the service carried out an
 * earlier attempt to write it. What the operation did, others may have changed since.
 */
async function isOver(store: ObjectStore, { id }: Journal): Promise<boolean> {
  if (!store.capabilities.remote) return false;
  if (await readDirection(store, id) !== undefined) return false;
  if ((await loadIndex(store)).index.last_operation === id) return false; // done again, it changes nothing
  const record = await readHistory(store, id);
  return record !== undefined && record.audit !== null;
}

async function recoverOne(store: ObjectStore, journal: Journal, options: RecoverOptions): Promise<Recovery> {
  const committed = await isCommitted(store, journal);
  const direction = await readDirection(store, journal.id) ?? await decide(store, journal, committed);
  options.onRecovering?.(journal, direction);
  const recovery = direction === "forward"
    ? await goForward(store, journal, options)
    : await goBack(store, journal, committed, options);
  await options.record(recovery);
  await removeOperation(store, journal.id);
  return recovery;
}

/** Chooses the direction and writes it down before anything is done about it. */
async function decide(store: ObjectStore, journal: Journal, committed: boolean): Promise<Direction> {
  const direction = committed ? "forward" : "back";
  await writeDirection(store, journal.id, direction);
  return direction;
}

async function goForward(store: ObjectStore, journal: Journal, options: RecoverOptions): Promise<Recovery> {
  await redoCommit(store, journal);
  const { changed, refused } = await finishOrExplain(store, journal);
  const verification = await options.verify(store, journal);
  return {
    id: journal.id,
    title: journal.title,
    direction: "forward",
    journal,
    verification,
    warnings: [
      ...changed.map((path) => `${path} was changed while the operation was unfinished`),
      ...refused.map(refusedSentence),
    ],
  };
}

async function finishOrExplain(store: ObjectStore, journal: Journal): Promise<Finished> {
  try {
    return await finish(store, journal);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UnfinishedOperationError(`Cannot finish the ${journal.title}: ${why}`, {
      hint: "The index is right already. Mend the cause, then run `backout recover`.",
      context: { operation: journal.id },
      cause,
    });
  }
}

async function goBack(
  store: ObjectStore,
  journal: Journal,
  committed: boolean,
  options: RecoverOptions,
): Promise<Recovery> {
  if (options.fence === "back") await fence(store, journal.id);
  if (committed) await compensate(store, journal);
  else await discard(store, journal);
  return { id: journal.id, title: journal.title, direction: "back", journal, verification: [], warnings: [] };
}

/** Root does not act on what another user may have made up. */
async function refuseForeignJournal(store: ObjectStore, id: string, uid: number | null): Promise<void> {
  if (uid !== 0) return;
  const stat = await store.stat(journalKey(id));
  if (stat === undefined || stat.uid === null || stat.uid === 0) return;
  throw new UnfinishedOperationError(
    `Cannot recover operation ${id} as root: user ${stat.uid} wrote its journal`,
    {
      hint:
        `Run \`backout recover\` as that user, e.g. setpriv --reuid=${stat.uid} --clear-groups -- backout recover …`,
      context: { operation: id, uid: stat.uid },
    },
  );
}
