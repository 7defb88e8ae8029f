/** Which entries go into an archive, and the archives themselves. Reads the log, writes nothing. */
import { archiveKey, entryFileName, type EntryRange } from "#/core/audit_key.ts";
import { IntegrityError } from "#/core/errors.ts";
import type { ObjectReader } from "#/storage/object_store.ts";
import {
  encodeArchive,
  MAX_ARCHIVE_BYTES,
  MAX_ARCHIVE_ENTRIES,
  readArchive,
  type StoredEntry,
} from "./archive.ts";
import { sha256Hex } from "#/core/sha256.ts";
import { decodeEntry } from "./entry.ts";
import { type FoundEntry, listLog, readEntryFile } from "./log.ts";

/** Which entries to keep as files; the newest always stays. Where both are given, an entry goes that both let go. */
export interface ArchiveRule {
  /** Milliseconds since 1970: entries go from the oldest on, up to the first that is not older. */
  readonly before?: number | undefined;
  /** So many of the newest stay, those that only record an archiving not counted. */
  readonly keep?: number | undefined;
}

/** An archive, new or there already, and what is known of its file. */
export interface PlannedArchive extends EntryRange {
  readonly sha256: string;
}

export interface NewArchive extends PlannedArchive {
  readonly bytes: Uint8Array;
}

/** Files of entries that can go, since an archive has them. */
export interface PlannedRemoval extends EntryRange {
  readonly archive: PlannedArchive;
}

export interface ArchivePlan {
  readonly archives: readonly NewArchive[];
  /** In the order of the entries. */
  readonly removals: readonly PlannedRemoval[];
  /** Bytes of the files that go. */
  readonly entryBytes: number;
}

type LogStore = Pick<ObjectReader, "location" | "stat" | "read" | "listNames" | "digest">;

const BATCH = 32;

/**
 * Plans an archiving. Entries that an interrupted one left beside their archive are only removed.
 * @throws {IntegrityError} an entry of the range is missing, or differs from its archive
 */
export async function planArchive(store: LogStore, rule: ArchiveRule): Promise<ArchivePlan> {
  const { seqs, archives } = await listLog(store);
  const last = await lastToGo(store, seqs, rule);
  const going = seqs.filter((seq) => seq <= last);
  const removals: PlannedRemoval[] = [];
  let entryBytes = 0;
  let rest = going;
  for (const range of archives) {
    const isIn = (seq: number) => seq >= range.first && seq <= range.last;
    const doubles = rest.filter(isIn);
    if (doubles.length === 0) continue;
    rest = rest.filter((seq) => !isIn(seq));
    entryBytes += await comparedBytes(store, range, doubles);
    const [file] = await store.digest([archiveKey(range)]);
    removals.push({
      first: doubles[0]!,
      last: doubles.at(-1)!,
      archive: { ...range, sha256: file!.sha256 },
    });
  }
  refuseGaps(rest, archives);
  const fresh: NewArchive[] = [];
  for await (const entries of readInParts(store, rest)) {
    const bytes = await encoded(entries);
    const archive = { first: entries[0]!.seq, last: entries.at(-1)!.seq, sha256: sha256Hex(bytes), bytes };
    const { bytes: _, ...file } = archive;
    fresh.push(archive);
    removals.push({ first: file.first, last: file.last, archive: file });
    entryBytes += sizeOf(entries);
  }
  return { archives: fresh, removals: removals.toSorted((a, b) => a.first - b.first), entryBytes };
}

/** The number of the newest entry that may go, 0 when none may. */
async function lastToGo(store: LogStore, seqs: readonly number[], rule: ArchiveRule): Promise<number> {
  const newest = seqs.at(-1) ?? 0;
  const limits = [newest - 1];
  if (rule.keep !== undefined) limits.push(await lastBeforeKept(store, seqs, rule.keep));
  if (rule.before !== undefined) limits.push(await lastOlder(store, seqs, rule.before));
  return Math.max(0, Math.min(...limits));
}

/** Archiving again with the same number must find nothing to do, so what archiving itself records is not counted. */
async function lastBeforeKept(store: LogStore, seqs: readonly number[], keep: number): Promise<number> {
  let kept = 0;
  for (let end = seqs.length; end > 0; end -= BATCH) {
    const batch = seqs.slice(Math.max(0, end - BATCH), end).reverse();
    for (const found of await readAll(store, batch)) {
      if (kept === keep) return found.seq;
      if (entryIn(found)?.operation !== "audit_archive") kept++;
    }
  }
  return 0;
}

async function lastOlder(store: LogStore, seqs: readonly number[], before: number): Promise<number> {
  let last = 0;
  for (let i = 0; i < seqs.length; i += BATCH) {
    for (const found of await readAll(store, seqs.slice(i, i + BATCH))) {
      const time = Date.parse(entryIn(found)?.timestamp ?? "");
      if (!(time < before)) return last;
      last = found.seq;
    }
  }
  return last;
}

function entryIn(found: FoundEntry) {
  const decoded = found.bytes === undefined ? undefined : decodeEntry(found.bytes);
  return decoded !== undefined && "entry" in decoded ? decoded.entry : undefined;
}

/** @returns the bytes of the files */
async function comparedBytes(
  store: LogStore,
  range: EntryRange,
  seqs: readonly number[],
): Promise<number> {
  const archive = await readArchive(store, range);
  if ("problem" in archive) throw refused(`${archiveKey(range)} ${archive.problem}`);
  let size = 0;
  for (let i = 0; i < seqs.length; i += BATCH) {
    for (const found of await readAll(store, seqs.slice(i, i + BATCH))) {
      const bytes = bytesOf(found);
      const archived = archive.entries[found.seq - range.first]!.bytes;
      if (sha256Hex(bytes) !== sha256Hex(archived)) {
        throw refused(`${found.label} differs from the entry in ${archiveKey(range)}`);
      }
      size += bytes.length;
    }
  }
  return size;
}

function refuseGaps(seqs: readonly number[], archives: readonly EntryRange[]): void {
  const archived = Math.max(0, ...archives.map(({ last }) => last));
  const early = seqs.find((seq) => seq <= archived);
  if (early !== undefined) throw refused(`${entryFileName(early)} is older than what is archived already`);
  const gap = seqs.find((seq, i) => i > 0 && seq !== seqs[i - 1]! + 1);
  if (gap !== undefined) throw refused(`${entryFileName(gap - 1)} is missing`);
}

async function encoded(entries: readonly StoredEntry[]): Promise<Uint8Array> {
  try {
    return await encodeArchive(entries);
  } catch (error) {
    if (error instanceof RangeError) throw refused(error.message);
    throw error;
  }
}

/** The entries of one archive after the other. */
async function* readInParts(
  store: LogStore,
  seqs: readonly number[],
): AsyncGenerator<readonly StoredEntry[], void> {
  let part: StoredEntry[] = [];
  let size = 0;
  for (let i = 0; i < seqs.length; i += BATCH) {
    for (const found of await readAll(store, seqs.slice(i, i + BATCH))) {
      const entry = { seq: found.seq, bytes: bytesOf(found) };
      const isFull = part.length >= MAX_ARCHIVE_ENTRIES || size + entry.bytes.length > MAX_ARCHIVE_BYTES;
      if (part.length > 0 && isFull) {
        yield part;
        part = [];
        size = 0;
      }
      part.push(entry);
      size += entry.bytes.length;
    }
  }
  if (part.length > 0) yield part;
}

async function readAll(store: LogStore, seqs: readonly number[]): Promise<readonly FoundEntry[]> {
  return await Promise.all(seqs.map((seq) => readEntryFile(store, seq)));
}

function bytesOf({ label, bytes, problem }: FoundEntry): Uint8Array {
  if (bytes === undefined) throw refused(`${label} ${problem}`);
  return bytes;
}

function sizeOf(entries: readonly StoredEntry[]): number {
  return entries.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

function refused(why: string): IntegrityError {
  return new IntegrityError(`Refused to archive the audit log: ${why}`, {
    hint: "Nothing was changed. See `backout audit verify`.",
  });
}
