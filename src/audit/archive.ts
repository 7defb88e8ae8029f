/**
 * Archives of old audit entries: one compressed file for a range of them, which keeps the exact bytes of each, so that
 * digests, chain and signatures stay checkable.
 *
 * It is a gzip file (`zcat` reads it) of JSON lines: a header, then `{"seq", "sha256", "entry"}` per entry, where
 * `entry` is the text of the entry's file. The comment in the gzip header has the digest of all bytes that follow it:
 * gzip alone does not notice every changed bit.
 */
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { archiveKey, type EntryRange } from "#/core/audit_key.ts";
import { isJsonObject } from "#/core/json.ts";
import type { ObjectReader } from "#/storage/object_store.ts";
import { sha256Hex } from "#/core/sha256.ts";
import { readFileOrProblem } from "./key_ring.ts";

/** An entry as it is stored, without a look at what it says. */
export interface StoredEntry {
  readonly seq: number;
  readonly bytes: Uint8Array;
}

/** Entries of one archive at most: whoever reads one holds it whole in memory. */
export const MAX_ARCHIVE_ENTRIES = 10_000;
/** Bytes of the entries of one archive, after which another is begun. */
export const MAX_ARCHIVE_BYTES = 32 * 1024 * 1024;
/** Twice that and twice the largest entry, for the quotes that JSON escapes. */
const MAX_TEXT_BYTES = 128 * 1024 * 1024;

const KIND = "backout.audit-archive";
const LEVEL = 9;
/** Of the gzip header: magic, deflate, "a comment follows", no time, slowest, unknown system. */
const GZIP_HEADER = [0x1f, 0x8b, 8, 0x10, 0, 0, 0, 0, 2, 0xff];
const PLAIN_HEADER_BYTES = 10;

/**
 * The file of an archive.
 * @param entries in order, without gaps, at least one
 * @throws {RangeError} when they are not, or an entry is no text
 */
export async function encodeArchive(entries: readonly StoredEntry[]): Promise<Uint8Array> {
  const [first, last] = [entries[0]?.seq ?? 0, entries.at(-1)?.seq ?? 0];
  if (entries.length === 0 || !entries.every(({ seq }, i) => seq === first + i)) {
    throw new RangeError("an archive holds entries without gaps");
  }
  const lines = [JSON.stringify({ format: 1, kind: KIND, first, last })];
  for (const { seq, bytes } of entries) {
    const entry = textOf(bytes);
    if (entry === undefined) throw new RangeError(`audit entry ${seq} is not text`);
    lines.push(JSON.stringify({ seq, sha256: sha256Hex(bytes), entry }));
  }
  const text = new TextEncoder().encode(lines.join("\n") + "\n");
  const compressed = new Uint8Array(await promisify(gzip)(text, { level: LEVEL }));
  const rest = compressed.subarray(PLAIN_HEADER_BYTES);
  return joined(seal(rest), rest);
}

/** Reads an archive strictly. `problem` completes the sentence "<file> …". */
export async function decodeArchive(
  bytes: Uint8Array,
  { first, last }: EntryRange,
): Promise<{ readonly entries: readonly StoredEntry[] } | { readonly problem: string }> {
  const text = await unsealed(bytes);
  if (text === undefined) return { problem: "was changed or cut short: its bytes do not have its digest" };
  const lines = text.split("\n");
  if (lines.pop() !== "") return { problem: "was cut short" };
  const header = parsed(lines.shift());
  if (header?.kind !== KIND) return { problem: "is not an archive of audit entries" };
  if (header.format !== 1) return { problem: "has a format that this version of backout does not know" };
  if (header.first !== first || header.last !== last) {
    return { problem: "holds other entries than its name says: it was renamed" };
  }
  if (lines.length !== last - first + 1) return { problem: "does not hold all entries that it names" };
  const entries: StoredEntry[] = [];
  for (const [i, line] of lines.entries()) {
    const entry = entryOf(line);
    if (entry === undefined) return { problem: `has no valid line for the entry ${first + i}` };
    if (entry.seq !== first + i) return { problem: `has the entry ${entry.seq} where ${first + i} belongs` };
    entries.push(entry);
  }
  return { entries };
}

/** The entries of an archive that is there, or what is wrong with the file. An error of the storage itself is thrown. */
export async function readArchive(
  store: Pick<ObjectReader, "read" | "stat">,
  range: EntryRange,
): Promise<{ readonly entries: readonly StoredEntry[] } | { readonly problem: string }> {
  const bytes = await readFileOrProblem(store, archiveKey(range), MAX_TEXT_BYTES);
  return typeof bytes === "string" ? { problem: bytes } : await decodeArchive(bytes, range);
}

/** The gzip header whose comment has the digest of all that follows it. */
function seal(rest: Uint8Array): Uint8Array {
  const comment = new TextEncoder().encode(
    `backout audit archive; SHA-256 of the rest: ${sha256Hex(rest)}\0`,
  );
  return joined(new Uint8Array(GZIP_HEADER), comment);
}

async function unsealed(bytes: Uint8Array): Promise<string | undefined> {
  const sealBytes = seal(new Uint8Array()).length;
  const rest = bytes.subarray(sealBytes);
  const expected = seal(rest);
  if (!expected.every((byte, i) => byte === bytes[i])) return undefined;
  try {
    const text = await promisify(gunzip)(bytes, { maxOutputLength: MAX_TEXT_BYTES });
    return textOf(new Uint8Array(text));
  } catch {
    return undefined; // with a right digest only something that never was an archive
  }
}

function entryOf(line: string): StoredEntry | undefined {
  const value = parsed(line);
  if (value === undefined || typeof value.entry !== "string" || !Number.isInteger(value.seq)) {
    return undefined;
  }
  const bytes = new TextEncoder().encode(value.entry);
  return sha256Hex(bytes) === value.sha256 ? { seq: value.seq as number, bytes } : undefined;
}

function parsed(line: string | undefined): { readonly [key: string]: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(line ?? "");
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Undefined where the bytes are not exactly those of a text. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function joined(start: Uint8Array, end: Uint8Array): Uint8Array {
  const whole = new Uint8Array(start.length + end.length);
  whole.set(start);
  whole.set(end, start.length);
  return whole;
}
