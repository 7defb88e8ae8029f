/** Recovery: brings a repository with unfinished operations to the state before or the state after each of them. */
import { UnfinishedOperationError } from "#/core/errors.ts";
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
import { compensate, discard, finish, isCommitted, redoCommit } from "#/operation/phases.ts";
import { encodeIndex, INDEX_KEY, loadIndex } from "#/repository/index_file.ts";
import type { VerificationResult } from "#/report/model.ts";
import { ConflictError, type ObjectStore } from "#/storage/object_store.ts";

const FENCE_INDEX = "index.fence.json";
const MAX_FENCE_TRIES = 5;

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
  /** True where the last holder of the lock may still wake up: its next write must fail. */
  readonly fence: boolean;
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
    const journal = await readJournal(store, id);
    if (journal === undefined) {
      await removeOperation(store, id);
      continue;
    }
    recoveries.push(await recoverOne(store, journal, options));
  }
  return recoveries;
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
  const changed = await finishOrExplain(store, journal);
  const verification = await options.verify(store, journal);
  return {
    id: journal.id,
    title: journal.title,
    direction: "forward",
    journal,
    verification,
    warnings: changed.map((path) => `${path} was changed while the operation was unfinished`),
  };
}

async function finishOrExplain(store: ObjectStore, journal: Journal): Promise<readonly string[]> {
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
  if (options.fence) await fence(store, journal.id);
  if (committed) await compensate(store, journal);
  else await discard(store, journal);
  return { id: journal.id, title: journal.title, direction: "back", journal, verification: [], warnings: [] };
}

/** Writes the same index with a higher serial, so that a sleeping writer finds other bytes than it read. */
async function fence(store: ObjectStore, id: string): Promise<void> {
  for (let tries = 1;; tries++) {
    const { index, tag } = await loadIndex(store);
    if (tag === null) return;
    const fenced = encodeIndex({ ...index, serial: (index.serial ?? 0) + 1 });
    await store.stage(id, FENCE_INDEX, INDEX_KEY, fenced);
    try {
      return await store.commitStaged(id, FENCE_INDEX, INDEX_KEY, tag);
    } catch (error) {
      // Edited by hand just now: what it says now is fenced.
      if (!(error instanceof ConflictError) || tries >= MAX_FENCE_TRIES) throw error;
    }
  }
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
