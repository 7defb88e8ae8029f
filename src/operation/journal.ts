/**
 * The journal of an operation on a repository: `.backout/operations/<id>/journal.json`.
 *
 * It is written once, after the new index and the undo index are staged and before anything else changes, so:
 * no journal → nothing happened; journal and staged index → not committed; journal without staged index → committed.
 */
import { sha256Hex } from "#/core/sha256.ts";
import { UnfinishedOperationError } from "#/core/errors.ts";
import { formatJson, isJsonObject, parseJson } from "#/core/json.ts";
import { areArchived, isArchiveKey } from "#/operation/archived_entries.ts";
import { artifactPathProblem, isBackupId, isOperationId } from "#/core/safe_path.ts";
import type { IndexChange } from "#/repository/index_change.ts";
import type { FileRecord } from "#/repository/index_format.ts";
import { isFileRecord } from "#/repository/release_record.ts";
import type { OperationReport } from "#/report/model.ts";
import type { RepositoryStep } from "#/step/repository_step.ts";
import type { Move, ObjectReader, ObjectStore } from "#/storage/object_store.ts";

export const OPERATIONS_PREFIX = ".backout/operations";
/** Names of the two staged indexes. */
export const NEW_INDEX = "index.new.json";
export const UNDO_INDEX = "index.undo.json";
const MAX_JOURNAL_BYTES = 512 * 1024 * 1024;

/** A move of one artifact out of the published tree, after the commit. */
export interface JournalMove extends Move {
  readonly version: string;
}

export interface Journal {
  readonly format: 1;
  readonly id: string;
  /** For people, a noun: `rollback of v1.0.2`. */
  readonly title: string;
  readonly steps: readonly RepositoryStep[];
  readonly index: {
    readonly serial_before: number;
    readonly serial_after: number;
    /** SHA-256 of the index before, null when there was none. */
    readonly before_sha256: string | null;
    /** SHA-256 of the staged new index. */
    readonly after_sha256: string;
    readonly last_operation_before: string | null;
    /** Takes the commit back, applied to whatever the index is then. */
    readonly undo: readonly IndexChange[];
  };
  readonly moves: readonly JournalMove[];
  /** Files that were absent and are put in place before the commit. */
  readonly added: readonly FileRecord[];
  /** Keys created before the commit. */
  readonly created: readonly string[];
  /** Backup folders created before the commit. */
  readonly backups: readonly string[];
  /** The report as far as it is known when the operation starts: what recovery completes and records. */
  readonly report: OperationReport;
  /** Where the audit entry's signing key is, by reference. */
  readonly signing_key_file: string | null;
}

export type Direction = "forward" | "back";

export function journalKey(id: string): string {
  return `${OPERATIONS_PREFIX}/${id}/journal.json`;
}

function directionKey(id: string): string {
  return `${OPERATIONS_PREFIX}/${id}/direction.json`;
}

/** Writes the journal durably. From here on recovery knows of the operation. */
export async function writeJournal(store: ObjectStore, journal: Journal): Promise<void> {
  const body = formatJson(journal);
  const sealed = { journal_sha256: sha256Hex(body), journal };
  await store.create(journalKey(journal.id), new TextEncoder().encode(formatJson(sealed)));
}

/** Ids of operations that left something behind, oldest first. */
export async function unfinishedIds(store: ObjectReader): Promise<readonly string[]> {
  const names = await store.listNames(OPERATIONS_PREFIX);
  return names.filter(isOperationId).toSorted();
}

/**
 * The journal of an operation; undefined when it stopped before it wrote one.
 * @throws {UnfinishedOperationError} when it was damaged or names something unsafe
 */
export async function readJournal(store: ObjectReader, id: string): Promise<Journal | undefined> {
  const stored = await store.read(journalKey(id), { maxBytes: MAX_JOURNAL_BYTES });
  if (stored === undefined) return undefined;
  let sealed: unknown;
  try {
    sealed = parseJson(new TextDecoder().decode(stored.bytes));
  } catch (cause) {
    throw damaged(id, "it is not JSON", cause);
  }
  if (!isJsonObject(sealed) || !isJsonObject(sealed.journal)) throw damaged(id, "it is not a journal");
  if (sha256Hex(formatJson(sealed.journal)) !== sealed.journal_sha256) {
    throw damaged(id, "its checksum does not match");
  }
  const journal = sealed.journal as unknown as Journal;
  if (journal.format !== 1) {
    throw damaged(id, `its format is ${String(journal.format)}, and this program knows 1`);
  }
  const problem = journalProblem(journal, id);
  if (problem !== undefined) throw damaged(id, problem);
  return journal;
}

/** Nothing in a journal may lead out of the repository, whoever wrote it. */
function journalProblem(journal: Journal, id: string): string | undefined {
  if (journal.id !== id) return "it belongs to another operation";
  const lists = [
    journal.steps,
    journal.moves,
    journal.added,
    journal.created,
    journal.backups,
    journal.index?.undo,
  ];
  if (!lists.every(Array.isArray)) return "it is incomplete";
  if (!journal.backups.every((name) => typeof name === "string" && isBackupId(name))) {
    return "it names an unsafe backup";
  }
  if (!journal.added.every(isFileRecord)) return "it names an unsafe file";
  if (!journal.created.every((key) => isOwnKey(key))) return "it names an unsafe file";
  if (!journal.moves.every((move) => isArtifact(move.from) && isOwnKey(move.to))) {
    return "it names an unsafe move";
  }
  const deletes = journal.steps.every((step) => step.kind !== "delete_backup" || isBackupId(step.backup));
  if (!deletes) return "it names an unsafe backup";
  const removes = journal.steps.every((step) => step.kind !== "remove_audit_entries" || areArchived(step));
  if (!removes) return "it removes audit entries that are in no archive";
  // The operation's own record is newer than any that it may delete.
  const prunes = journal.steps.every((step) =>
    step.kind !== "prune_history" || (isOperationId(step.up_to) && step.up_to < id)
  );
  return prunes ? undefined : "it would delete history that it may not";
}

function isArtifact(path: unknown): boolean {
  return artifactPathProblem(path) === undefined;
}

const OWN_PREFIXES = [
  ".backout/operations/",
  ".backout/releases/",
  ".backout/release-signatures/",
  ".backout/content-tags/",
  ".rollback-backups/",
  ".backout-scratch/",
];

/** A key below backout's own folders. */
function isOwnKey(key: unknown): boolean {
  if (typeof key !== "string") return false;
  if (isArchiveKey(key)) return true;
  const prefix = OWN_PREFIXES.find((candidate) => key.startsWith(candidate));
  return prefix !== undefined && isArtifact(`x/${key.slice(prefix.length)}`);
}

/** Writes which way the operation goes on; only that way is taken after a second crash. */
export async function writeDirection(store: ObjectStore, id: string, direction: Direction): Promise<void> {
  await store.replace(directionKey(id), new TextEncoder().encode(formatJson({ direction })));
}

export async function readDirection(store: ObjectReader, id: string): Promise<Direction | undefined> {
  const stored = await store.read(directionKey(id), { maxBytes: 1024 });
  if (stored === undefined) return undefined;
  const text = new TextDecoder().decode(stored.bytes);
  if (text.includes(`"forward"`)) return "forward";
  if (text.includes(`"back"`)) return "back";
  throw damaged(id, "its direction cannot be read");
}

/**
 * Forgets the operation: the last thing that happens. The journal goes first, durably: while it is there, the staged
 * index must be too, since its absence means "committed".
 */
export async function removeOperation(store: ObjectStore, id: string): Promise<void> {
  await store.removeFiles([journalKey(id)]);
  await store.flush();
  await store.removeScratch(id);
  await store.removeTree(`${OPERATIONS_PREFIX}/${id}`);
  await store.flush();
}

function damaged(id: string, what: string, cause?: unknown): UnfinishedOperationError {
  return new UnfinishedOperationError(`Cannot recover operation ${id}: its journal is damaged (${what})`, {
    hint: `Look at ${journalKey(id)} in the state folder and at \`backout doctor\`; remove the folder ` +
      `${OPERATIONS_PREFIX}/${id} when the repository is as it should be.`,
    context: { operation: id },
    ...(cause === undefined ? {} : { cause }),
  });
}
