/**
 * The phases of an operation on a repository. Each may be called again after a crash at any point inside it:
 * they look at the world and do what is left to do.
 */
import { RollbackAtomicError, UnfinishedOperationError } from "#/core/errors.ts";
import { deleteBackup, type RefusedDeletion } from "#/operation/delete_backup.ts";
import { pruneHistory } from "#/operation/history.ts";
import {
  type Journal,
  journalKey,
  NEW_INDEX,
  OPERATIONS_PREFIX,
  UNDO_INDEX,
  writeDirection,
  writeJournal,
} from "#/operation/journal.ts";
import { removeArchivedEntries } from "#/operation/archived_entries.ts";
import { BACKUPS_PREFIX } from "#/repository/backup_folder.ts";
import { encodeContentTags } from "#/repository/content_tags.ts";
import { applyChanges, changesHold, ImpossibleChange } from "#/repository/index_change.ts";
import {
  encodeIndex,
  INDEX_KEY,
  INDEX_MARKDOWN_KEY,
  loadIndex,
  stampIndex,
} from "#/repository/index_file.ts";
import { renderMarkdown } from "#/repository/index_markdown.ts";
import { changesOf, type RepositoryStep } from "#/step/repository_step.ts";
import type { BatchOptions, ObjectStore, StagedFile } from "#/storage/object_store.ts";

/** Where staged files stand when the state folder is on another filesystem. */
const SCRATCH_PREFIX = ".backout-scratch/";

/** What `prepare` makes, beside the journal. Built in memory before anything is written. */
export interface Preparation {
  readonly newIndex: Uint8Array;
  readonly undoIndex: Uint8Array;
  /** Keys to create: backup manifests, release records. */
  readonly objects: ReadonlyMap<string, Uint8Array>;
  /** Copies into backups of what cannot be moved. */
  readonly copies: readonly { readonly from: string; readonly to: string; readonly sha256: string | null }[];
  /** Files that become artifacts. */
  readonly staged: readonly StagedFile[];
  /** Where to note the storage's content tags of those files; undefined where that has no use. */
  readonly contentTagsKey: string | undefined;
}

/** Makes everything that can be made unseen. Durable when it returns. */
export async function prepare(
  store: ObjectStore,
  journal: Journal,
  preparation: Preparation,
  options: BatchOptions,
): Promise<void> {
  const { id } = journal;
  await store.stage(id, NEW_INDEX, INDEX_KEY, preparation.newIndex);
  await store.stage(id, UNDO_INDEX, INDEX_KEY, preparation.undoIndex);
  await writeJournal(store, journal);
  for (const [key, bytes] of preparation.objects) {
    options.signal?.throwIfAborted();
    await store.create(key, bytes);
  }
  if (preparation.copies.length > 0) await store.copyFiles(preparation.copies, options);
  if (preparation.staged.length > 0) {
    const beforePlacing = async () => {
      options.signal?.throwIfAborted();
      await refuseIfRecovered(store, journal);
    };
    const tags = await store.addFiles(id, preparation.staged, { ...options, beforePlacing });
    await noteContentTags(store, preparation.contentTagsKey, tags);
  }
  await store.flush();
}

async function noteContentTags(
  store: ObjectStore,
  key: string | undefined,
  tags: ReadonlyMap<string, string>,
): Promise<void> {
  if (key === undefined || tags.size === 0) return;
  await store.create(key, encodeContentTags(tags));
}

/**
 * The commit: one atomic replace of the index.
 * @throws {ConflictError} when somebody else changed the index in between
 */
export async function commit(store: ObjectStore, journal: Journal, indexTag: string | null): Promise<void> {
  await store.commitStaged(journal.id, NEW_INDEX, INDEX_KEY, indexTag);
}

/**
 * Whether the operation happened: read from the index, or from its staged index being used up (where a commit is a put,
 * the staged index goes right after it).
 */
export async function isCommitted(store: ObjectStore, journal: Journal): Promise<boolean> {
  const { index, sha256 } = await loadIndex(store);
  if (index.last_operation === journal.id) return true;
  if (await store.hasStaged(journal.id, NEW_INDEX)) return false;
  // Where the staged index stood in the published tree, it may have been swept away from outside (a mirror's cleanup).
  const isOutside = store.scratchKey(journal.id, NEW_INDEX).startsWith(SCRATCH_PREFIX);
  return !(isOutside && sha256 === journal.index.before_sha256);
}

/**
 * For the process that runs the operation: after `unlock --force` somebody may have recovered it while this process was
 * stopped. Then nothing here is its own any more: not the commit, and not what there is to discard.
 * @throws {UnfinishedOperationError} when the journal is gone
 */
export async function refuseIfRecovered(store: ObjectStore, journal: Journal): Promise<void> {
  if (await store.stat(journalKey(journal.id)) !== undefined) return;
  throw new UnfinishedOperationError(
    `The ${journal.title} was recovered by somebody else while this process was stopped; it does nothing more`,
    { hint: "See `backout history` for how it ended.", context: { operation: journal.id } },
  );
}

/** What finishing met. */
export interface Finished {
  /** Artifacts that were found changed while they were moved. */
  readonly changed: readonly string[];
  readonly refused: readonly RefusedDeletion[];
}

/** Rolls a committed operation forward. */
export async function finish(
  store: ObjectStore,
  journal: Journal,
  onStep: (step: RepositoryStep) => void = () => {},
): Promise<Finished> {
  const changed: string[] = [];
  const refused: RefusedDeletion[] = [];
  for (const step of journal.steps) {
    if (step.kind === "move_artifacts") {
      onStep(step);
      const moves = journal.moves.filter((move) => move.version === step.version);
      changed.push(...await store.moveFiles(moves));
    }
    if (step.kind === "delete_backup") {
      onStep(step);
      const refusal = await deleteBackup(store, step.backup);
      if (refusal !== undefined) refused.push(refusal);
    }
    if (step.kind === "prune_history") {
      onStep(step);
      await pruneHistory(store, step.up_to);
    }
    if (step.kind === "remove_audit_entries") {
      onStep(step);
      await removeArchivedEntries(store, step);
    }
    if (step.kind === "update_markdown") {
      onStep(step);
      await updateMarkdown(store);
    }
  }
  await store.flush();
  return { changed, refused };
}

/** What somebody linked or mounted in its place is theirs. */
async function updateMarkdown(store: ObjectStore): Promise<void> {
  if ((await store.stat(INDEX_MARKDOWN_KEY))?.kind !== "file") return;
  const { index } = await loadIndex(store);
  await store.replace(INDEX_MARKDOWN_KEY, new TextEncoder().encode(renderMarkdown(index)));
}

/** Makes sure that a committed operation's changes are in the index, whatever was done to it by hand since. */
export async function redoCommit(store: ObjectStore, journal: Journal): Promise<void> {
  const { index, tag } = await loadIndex(store);
  if (index.last_operation === journal.id) return;
  const changes = changesOf(journal.steps);
  const regressed = (index.serial ?? 0) < journal.index.serial_after; // another tool wrote it and dropped our fields
  if (changesHold(index, changes) && !regressed) return;
  try {
    const redone = stampIndex(applyChanges(index, changes), {
      operation: journal.id,
      at: journal.report.timestamp,
      serial: Math.max(index.serial ?? 0, journal.index.serial_after) + 1,
      auditHead: index.audit_head,
    });
    await store.stage(journal.id, "index.redo.json", INDEX_KEY, encodeIndex(redone));
    await store.commitStaged(journal.id, "index.redo.json", INDEX_KEY, tag);
  } catch (cause) {
    if (!(cause instanceof ImpossibleChange)) throw cause;
    throw new UnfinishedOperationError(
      `Cannot finish the ${journal.title}: index.json was changed by hand in between, and ${cause.message}`,
      {
        hint: "Put a good index.json back, then run `backout recover`.",
        context: { operation: journal.id },
        cause,
      },
    );
  }
}

/** Discards what was prepared and not committed. */
export async function discard(store: ObjectStore, journal: Journal): Promise<void> {
  await refuseIfMoved(store, journal);
  await store.settle(); // what arrives later would stay behind
  await removeAdded(store, journal);
  await removeCreated(store, journal);
  await store.flush();
}

/**
 * Takes a committed operation back: artifacts that were taken out go back first, then the index, then what was added
 * goes, so that a reader never sees an entry without its artifacts.
 */
export async function compensate(store: ObjectStore, journal: Journal): Promise<void> {
  await writeDirection(store, journal.id, "back");
  await store.settle(); // a removal that arrives later would take what is put back now
  await store.moveFiles(journal.moves.map(({ from, to, expected }) => ({ from: to, to: from, expected })));
  await store.flush();
  await undoCommit(store, journal);
  await discard(store, journal);
  await updateMarkdown(store).catch(() => {}); // it is only a view of the index: the next operation renews it
}

async function undoCommit(store: ObjectStore, journal: Journal): Promise<void> {
  const { id, index: planned } = journal;
  const { index, tag, sha256 } = await loadIndex(store);
  if (sha256 === planned.after_sha256 && await store.hasStaged(id, UNDO_INDEX)) {
    return await store.commitStaged(id, UNDO_INDEX, INDEX_KEY, tag);
  }
  if (changesHold(index, planned.undo)) return;
  const undone = stampIndex(applyChanges(index, planned.undo), {
    operation: planned.last_operation_before ?? id,
    at: journal.report.timestamp,
    serial: Math.max(index.serial ?? 0, planned.serial_after) + 1,
    auditHead: index.audit_head,
  });
  await store.stage(id, "index.undone.json", INDEX_KEY, encodeIndex(undone));
  await store.commitStaged(id, "index.undone.json", INDEX_KEY, tag);
}

/** A backup is only thrown away while everything in it is still in its place. */
async function refuseIfMoved(store: ObjectStore, journal: Journal): Promise<void> {
  const stats = await store.statMany(journal.moves.map((move) => move.from));
  const moved = journal.moves.filter((_, i) => stats[i] === undefined);
  const backedUp = await store.statMany(moved.map((move) => move.to));
  const only = moved.filter((_, i) => backedUp[i] !== undefined);
  if (only.length === 0) return;
  throw new UnfinishedOperationError(
    `Cannot discard the ${journal.title}: ${only.length} artifacts are only in its backup, e.g. ${
      only[0]!.from
    }`,
    {
      hint: `Move them back from ${BACKUPS_PREFIX}, then run \`backout recover\`.`,
      context: { operation: journal.id, artifacts: only.slice(0, 20).map((move) => move.from) },
    },
  );
}

async function removeAdded(store: ObjectStore, journal: Journal): Promise<void> {
  const { added } = journal;
  const stats = await store.statMany(added.map((file) => file.path));
  const ours = await store.haveBytes(added);
  // Other bytes are not what this operation put there. What is gone is named too, for its empty folders.
  const removed = added.filter((_, i) => ours[i] || stats[i] === undefined);
  await store.removeFiles(removed.map((file) => file.path));
}

async function removeCreated(store: ObjectStore, journal: Journal): Promise<void> {
  await store.removeFiles(journal.created);
  for (const backup of journal.backups) await store.removeTree(`${BACKUPS_PREFIX}/${backup}`);
}

/** The error of an operation that failed after its commit and was taken back. */
export function takenBackError(journal: Journal, cause: unknown): RollbackAtomicError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new RollbackAtomicError(
    `The ${journal.title} failed and was taken back; all is as before: ${why}`,
    {
      hint: "Mend the cause, then run the command again.",
      context: { operation: journal.id, folder: `${OPERATIONS_PREFIX}/${journal.id}` },
      cause,
    },
  );
}
