/** `.backout/history/<id>.json`: one document for every outcome, in the order of their ids. */
import { RollbackVersionNotFoundError } from "#/core/errors.ts";
import { formatJson, isJsonObject, type JsonObject, parseJson } from "#/core/json.ts";
import { isOperationId, quoteShort } from "#/core/safe_path.ts";
import type { SnapshotOutcome } from "#/report/model.ts";
import type { IndexChange } from "#/repository/index_change.ts";
import type { HistoryEntry } from "#/repository/views.ts";
import { mapLimited, READS_AT_ONCE } from "#/storage/limit.ts";
import { ConflictError, type ObjectReader, type ObjectStore } from "#/storage/object_store.ts";

export const HISTORY_PREFIX = ".backout/history";
const MAX_HISTORY_BYTES = 64 * 1024 * 1024;

/** What is kept of an operation. */
export interface HistoryRecord extends HistoryEntry {
  readonly format: 1;
  readonly rollback_type: string | null;
  /** What the operation did to the index, and what takes that back; empty when it did not commit. */
  readonly changes: readonly IndexChange[];
  readonly undo: readonly IndexChange[];
  readonly backups: readonly string[];
  readonly policy_mode: string;
  readonly forced: boolean;
  readonly warnings: readonly string[];
  readonly errors: readonly string[];
  /** Of operations on rollback points, without the lists of changes. */
  readonly snapshot?: SnapshotOutcome;
  /** The audit entry, null when none could be written. */
  readonly audit: { readonly seq: number; readonly sha256: string } | null;
}

function historyKey(id: string): string {
  return `${HISTORY_PREFIX}/${id}.json`;
}

/**
 * Writes the record of an operation. The first one that is whole stands: who finished the operation knew best how it
 * ended, be it its own process or the recovery of what that one left.
 */
export async function writeHistory(store: ObjectStore, record: HistoryRecord): Promise<void> {
  const key = historyKey(record.id);
  const bytes = new TextEncoder().encode(formatJson(record));
  try {
    await store.create(key, bytes);
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error;
    if (!await isRecorded(store, record.id)) await store.replace(key, bytes);
  }
}

/** Whether the operation has a record that names its audit entry. */
async function isRecorded(store: ObjectReader, id: string): Promise<boolean> {
  const record = await readHistory(store, id);
  return record !== undefined && record.audit !== null;
}

/** Ids of all records, newest first. */
export async function historyIds(store: ObjectReader): Promise<readonly string[]> {
  const names = await store.listNames(HISTORY_PREFIX);
  return names.filter((name) => name.endsWith(".json"))
    .map((name) => name.slice(0, -".json".length))
    .filter(isOperationId)
    .toSorted()
    .reverse();
}

/** Deletes all records up to this operation; durable after the next flush. Ids sort by time. */
export async function pruneHistory(store: ObjectStore, upTo: string): Promise<void> {
  await store.removeFiles((await historyIds(store)).filter((id) => id <= upTo).map(historyKey));
}

/** Undefined when the record is missing or cannot be read. */
export async function readHistory(store: ObjectReader, id: string): Promise<HistoryRecord | undefined> {
  const key = historyKey(id);
  if ((await store.stat(key))?.kind !== "file") return undefined;
  const stored = await store.read(key, { maxBytes: MAX_HISTORY_BYTES });
  if (stored === undefined) return undefined;
  try {
    const value = parseJson(new TextDecoder().decode(stored.bytes));
    return isJsonObject(value) && value.id === id ? value as unknown as HistoryRecord : undefined;
  } catch {
    return undefined; // `doctor` names damaged records; a list leaves them out
  }
}

/**
 * Finds a record by its id or by a unique beginning of it.
 * @throws {RollbackVersionNotFoundError}
 */
export async function findHistory(store: ObjectReader, wanted: string): Promise<JsonObject> {
  const matches = (await historyIds(store)).filter((id) => id.startsWith(wanted));
  const record = matches.length === 1 ? await readHistory(store, matches[0]!) : undefined;
  if (record !== undefined) return record as unknown as JsonObject;
  const what = matches.length > 1
    ? `${quoteShort(wanted)} names ${matches.length} operations`
    : `There is no operation ${quoteShort(wanted)}`;
  throw new RollbackVersionNotFoundError(what, { hint: "See `backout history`.", context: { id: wanted } });
}

/** How many records are looked through for the serial: refusals in between may not have known it. */
const SERIAL_RECORDS = 50;

/** The serial of the newest operations, 0 when there are none: for an index whose serial another tool dropped. */
export async function lastSerial(store: ObjectReader): Promise<number> {
  const records = await listHistoryRecords(store, SERIAL_RECORDS);
  return Math.max(0, ...records.map((record) => record.serial_after));
}

const BATCH = 1_000;

/** The newest records, newest first. */
export async function listHistoryRecords(
  store: ObjectReader,
  limit: number,
): Promise<readonly HistoryRecord[]> {
  const records: HistoryRecord[] = [];
  let ids = await historyIds(store);
  while (ids.length > 0 && records.length < limit) {
    const batch = ids.slice(0, Math.min(limit - records.length, BATCH));
    const read = await mapLimited(batch, READS_AT_ONCE, (id) => readHistory(store, id));
    records.push(...read.filter((record) => record !== undefined));
    ids = ids.slice(batch.length);
  }
  return records;
}
