/**
 * Trees as content of the store. The root is JSON lines: a head, then a line for each segment. A segment is JSON lines,
 * one entry each, about a thousand. Where it is cut depends on the paths alone, so that an unchanged part of a tree gives
 * the same segments, which the store has already.
 */
import { sha256Hex } from "#/core/sha256.ts";
import { createHash } from "node:crypto";
import { IntegrityError } from "#/core/errors.ts";
import { isJsonObject, type JsonObject } from "#/core/json.ts";
import type { ContentRef } from "#/store/model.ts";
import type { StoreReader, StoreWriter } from "#/store/store.ts";
import { entryProblem, fingerprintLine, isContent, type TreeEntry } from "./entry.ts";
import { comparePaths, hashOf, isWithin, parentOf, pathProblem } from "./path.ts";

/** One path in this many ends a segment. */
const CUT_EVERY = 1024;
const MAX_ENTRIES = 8192;
const MAX_ROOT_BYTES = 256 << 20;
const MAX_SEGMENT_BYTES = 1 << 30;

/** The first line of a root. */
export interface TreeHead {
  readonly format: 1;
  readonly kind: "tree";
  /** Absolute; nothing of the tree is outside of them. A root without an entry was not there. */
  readonly roots: readonly string[];
  /** Absolute globs whose matches are roots. */
  readonly globs: readonly string[];
  /** Globs that were left out. */
  readonly exclude: readonly string[];
  readonly one_file_system: boolean;
  /** What could not be captured on that machine. */
  readonly limits: readonly string[];
}

/** Another line of a root. */
export interface SegmentLine {
  readonly segment: ContentRef;
  /** The paths of its first and last entry. */
  readonly first: string;
  readonly last: string;
  readonly entries: number;
  /** Digest of what makes its entries equal. */
  readonly fingerprint: string;
  /** What tells that all of it is untouched and still in the store, without reading it. */
  readonly proof?: SegmentProof;
}

export interface SegmentProof {
  /** `stampsOf` its entries. */
  readonly stamps: string;
  /** The packs with the content of its files. */
  readonly packs: readonly string[];
}

/** With more packs a proof would be as long as the segment. */
const MAX_PROOF_PACKS = 64;

/** A proof for a segment whose entries were found to be untouched; undefined where there can be none. */
export function proofOf(
  entries: readonly TreeEntry[],
  packs: readonly string[] | undefined,
): SegmentProof | undefined {
  if (packs === undefined || packs.length > MAX_PROOF_PACKS) return undefined;
  const stamps = stampsOf(entries);
  return stamps === undefined ? undefined : { stamps, packs };
}

/** A digest of what shows that an entry was touched; undefined where one is to be read again in any case. */
export function stampsOf(entries: readonly TreeEntry[]): string | undefined {
  const parts: (string | number)[] = [];
  for (const it of entries) {
    if (it.racy === true || it.changing === true) return undefined;
    parts.push(
      it.path,
      it.type,
      it.mode,
      it.uid,
      it.gid,
      it.mtime,
      it.ctime,
      it.ino,
      it.size ?? "",
      it.link ?? "",
    );
  }
  return sha256Hex(parts.join("\0"));
}

export interface TreeRoot {
  readonly head: TreeHead;
  readonly segments: readonly SegmentLine[];
}

/** Whether a segment ends after this entry. Never at a socket: those come and go, and no fingerprint has them. */
export function endsSegment({ path, type }: Pick<TreeEntry, "path" | "type">, entries: number): boolean {
  return type !== "socket" && (hashOf(path) % CUT_EVERY === 0 || entries >= MAX_ENTRIES);
}

/** The digest of a list of entries; `fingerprintOf` puts the segments' together. */
export class Fingerprint {
  readonly #total = createHash("sha256");
  #segment: string[] = [];

  /** @returns the segment's digest where it ends with this entry */
  add(entry: TreeEntry): string | undefined {
    if (entry.type === "socket") return undefined;
    this.#segment.push(fingerprintLine(entry));
    return endsSegment(entry, this.#segment.length) ? this.cut() : undefined;
  }

  /** Ends the segment here. */
  cut(): string {
    const digest = sha256Hex(this.#segment.join("\n"));
    this.#segment = [];
    this.take(digest);
    return digest;
  }

  /** Takes over the digest of a whole segment. */
  take(digest: string): void {
    this.#total.update(digest);
  }

  /** @param roots what was looked at: a root that is not there counts too */
  end(roots: readonly string[]): string {
    if (this.#segment.length > 0) this.cut();
    return this.#total.update(JSON.stringify(roots)).digest("hex");
  }
}

/** Writes a tree, entry by entry in the order of a walk. */
export class TreeWriter {
  readonly #writer: StoreWriter;
  readonly #fingerprint = new Fingerprint();
  readonly #lines: SegmentLine[] = [];
  #entries: TreeEntry[] = [];

  constructor(writer: StoreWriter) {
    this.#writer = writer;
  }

  /** Whether a segment begins with the next entry. */
  get atStart(): boolean {
    return this.#entries.length === 0;
  }

  async add(entry: TreeEntry): Promise<void> {
    this.#entries.push(entry);
    const digest = this.#fingerprint.add(entry);
    if (digest !== undefined) await this.#cut(digest);
  }

  /** Takes over a segment of an earlier tree, whole. Only where a segment starts. */
  take(line: SegmentLine): void {
    this.#fingerprint.take(line.fingerprint);
    this.#lines.push(line);
  }

  async #cut(fingerprint: string): Promise<void> {
    const [first, last] = [this.#entries[0]!.path, this.#entries.at(-1)!.path];
    const segment = await this.#writer.addBytes(encodeLines(this.#entries));
    this.#lines.push({ segment, first, last, entries: this.#entries.length, fingerprint });
    this.#entries = [];
  }

  async end(head: TreeHead): Promise<{ readonly root: ContentRef; readonly fingerprint: string }> {
    if (this.#entries.length > 0) await this.#cut(this.#fingerprint.cut());
    const root = await this.#writer.addBytes(encodeLines([head, ...this.#lines]));
    return { root, fingerprint: this.#fingerprint.end(head.roots) };
  }
}

function encodeLines(values: readonly unknown[]): Uint8Array {
  return new TextEncoder().encode(values.map((it) => JSON.stringify(it) + "\n").join(""));
}

/** Parsed at once: one call for a thousand lines. */
function decodeLines(bytes: Uint8Array): unknown[] {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  const list: unknown = JSON.parse(`[${text.trimEnd().replaceAll("\n", ",")}]`);
  if (!Array.isArray(list)) throw new SyntaxError("not a list of lines");
  return list;
}

/** @throws {IntegrityError} it is no tree */
export async function readRoot(store: StoreReader, root: ContentRef): Promise<TreeRoot> {
  const lines = await readLines(store, root, MAX_ROOT_BYTES);
  const [head, ...segments] = lines;
  if (!isHead(head)) throw damaged("its head is not one of a tree that this version can read");
  if (!segments.every(isSegmentLine)) throw damaged("a line of its root is no segment");
  return { head, segments };
}

/** @throws {IntegrityError} an entry is not what it may be */
export async function readSegment(store: StoreReader, line: SegmentLine): Promise<readonly TreeEntry[]> {
  const entries = await readLines(store, line.segment, MAX_SEGMENT_BYTES);
  for (const entry of entries) {
    const problem = entryProblem(entry);
    if (problem !== undefined) {
      throw damaged(`entry ${JSON.stringify((entry as TreeEntry | null)?.path)?.slice(0, 200)}: ${problem}`);
    }
  }
  return entries as TreeEntry[];
}

/**
 * All entries, in the order of a walk, a segment at a time. Each is a root or in a folder of the tree.
 * @throws {IntegrityError}
 */
export async function* readTree(store: StoreReader, root: TreeRoot): AsyncGenerator<readonly TreeEntry[]> {
  const above: string[] = [];
  const roots = new Set(root.head.roots);
  let last = "";
  for (const line of root.segments) {
    const entries = await readSegment(store, line);
    for (const { path, type } of entries) {
      if (comparePaths(last, path) >= 0) throw damaged(`${JSON.stringify(path)} is not in its place`);
      last = path;
      while (above.length > 0 && !isWithin(path, above.at(-1)!)) above.pop();
      if (!roots.has(path) && above.at(-1) !== parentOf(path)) {
        throw damaged(`${JSON.stringify(path)} is not in a folder of the tree`);
      }
      if (type === "folder") above.push(path);
    }
    yield entries;
  }
}

async function readLines(store: StoreReader, content: ContentRef, maxBytes: number): Promise<unknown[]> {
  const bytes = await store.readBytes(content, { maxBytes });
  try {
    return decodeLines(bytes);
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
    throw damaged("it is not JSON lines", error);
  }
}

function isHead(value: unknown): value is TreeHead & JsonObject {
  return isJsonObject(value) && value["format"] === 1 && value["kind"] === "tree" &&
    isTexts(value["roots"]) && value["roots"].every((it) => pathProblem(it) === undefined) &&
    isTexts(value["exclude"]) && isTexts(value["globs"]) && isTexts(value["limits"]) &&
    typeof value["one_file_system"] === "boolean";
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((it) => typeof it === "string");
}

function isSegmentLine(value: unknown): value is SegmentLine {
  if (!isJsonObject(value)) return false;
  return isContent(value["segment"]) && typeof value["first"] === "string" &&
    typeof value["last"] === "string" &&
    typeof value["entries"] === "number" && typeof value["fingerprint"] === "string" &&
    (value["proof"] === undefined || isProof(value["proof"]));
}

function isProof(value: unknown): boolean {
  return isJsonObject(value) && typeof value["stamps"] === "string" && isTexts(value["packs"]);
}

function damaged(why: string, cause?: unknown): IntegrityError {
  return new IntegrityError(`Cannot use a saved tree of files: ${why}`, {
    hint: "Run `backout snapshot verify` and restore from a snapshot that verifies.",
    ...(cause === undefined ? {} : { cause }),
  });
}
