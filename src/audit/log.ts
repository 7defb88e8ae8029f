/** Reading the whole log: archives first, then the entries that have a file of their own, in the order of their numbers. */
import {
  archiveKey,
  AUDIT_FOLDER,
  entryFileName,
  entryKey,
  type EntryRange,
  rangeOfFileName,
  seqOfFileName,
} from "#/core/audit_key.ts";
import type { ObjectReader } from "#/storage/object_store.ts";
import { readArchive } from "./archive.ts";
import { MAX_ENTRY_BYTES } from "./entry.ts";
import { readFileOrProblem } from "./key_ring.ts";

/** What is in the log's folder. */
export interface LogFiles {
  /** Numbers of the entries that have a file of their own, ascending. */
  readonly seqs: readonly number[];
  /** Archives, by their first entry. */
  readonly archives: readonly EntryRange[];
  /** Names of what is neither. */
  readonly others: readonly string[];
}

/** An entry as it was found. */
export interface FoundEntry {
  readonly seq: number;
  /** What to call it in a sentence. */
  readonly label: string;
  /** Undefined when it could not be read: `problem` completes the sentence "<label> …". */
  readonly bytes: Uint8Array | undefined;
  readonly problem: string | undefined;
}

/** A part of the log. */
export type LogPart =
  | { readonly kind: "entries"; readonly entries: readonly FoundEntry[] }
  /** An archive that cannot be read; entries of it that are still files follow. */
  | { readonly kind: "unreadable"; readonly archive: EntryRange; readonly problem: string };

type LogStore = Pick<ObjectReader, "stat" | "read" | "listNames">;

const BATCH = 32;

/** Lists the log. */
export async function listLog(store: Pick<ObjectReader, "listNames">): Promise<LogFiles> {
  const names = (await store.listNames(AUDIT_FOLDER)).map((name) => name.replace(/\/$/, ""));
  const isOther = (name: string) => seqOfFileName(name) === undefined && rangeOfFileName(name) === undefined;
  return {
    seqs: names.map(seqOfFileName).filter((seq) => seq !== undefined).toSorted((a, b) => a - b),
    archives: names.map(rangeOfFileName).filter((range) => range !== undefined)
      .toSorted((a, b) => a.first - b.first || a.last - b.last),
    others: names.filter(isOther),
  };
}

/**
 * Reads the log in the order of its entries. Where an archive and a file hold the same entry (an archiving that was
 * interrupted, or is going on), the file's comes after everything else, as a second one with that number.
 */
export async function* readLog(store: LogStore, files: LogFiles): AsyncGenerator<LogPart, void> {
  const isIn = (range: EntryRange) => (seq: number) => seq >= range.first && seq <= range.last;
  const doubles: number[] = [];
  let rest = files.seqs;
  for (const archive of files.archives) {
    const before = rest.filter((seq) => seq < archive.first);
    yield* readFiles(store, before);
    const within = rest.filter(isIn(archive));
    rest = rest.slice(before.length + within.length);
    const found = await readArchive(store, archive);
    if ("problem" in found) {
      yield { kind: "unreadable", archive, problem: found.problem };
      yield* readFiles(store, within);
      continue;
    }
    doubles.push(...within);
    const label = (seq: number) => `The entry ${entryFileName(seq)} in ${archiveKey(archive)}`;
    const entries = found.entries.map(({ seq, bytes }) => ({
      seq,
      label: label(seq),
      bytes,
      problem: undefined,
    }));
    for (let i = 0; i < entries.length; i += BATCH) {
      yield { kind: "entries", entries: entries.slice(i, i + BATCH) };
    }
  }
  yield* readFiles(store, rest);
  yield* readFiles(store, doubles);
}

async function* readFiles(store: LogStore, seqs: readonly number[]): AsyncGenerator<LogPart, void> {
  for (let i = 0; i < seqs.length; i += BATCH) {
    yield {
      kind: "entries",
      entries: await Promise.all(seqs.slice(i, i + BATCH).map((seq) => readEntryFile(store, seq))),
    };
  }
}

/** One entry that has a file of its own. */
export async function readEntryFile(
  store: Pick<ObjectReader, "stat" | "read">,
  seq: number,
): Promise<FoundEntry> {
  const label = entryKey(seq);
  const bytes = await readFileOrProblem(store, label, MAX_ENTRY_BYTES);
  if (typeof bytes === "string") return { seq, label, bytes: undefined, problem: bytes };
  return { seq, label, bytes, problem: undefined };
}
