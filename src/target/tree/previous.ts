/** An earlier tree, read alongside a walk: both are in the same order, so at any time few of its segments are in memory. */
import { IntegrityError } from "#/core/errors.ts";
import type { KnownContent, StoreReader } from "#/store/store.ts";
import { sameStamp, type TreeEntry } from "./entry.ts";
import { comparePaths } from "./path.ts";
import { proofOf, readSegment, type SegmentLine, stampsOf, type TreeRoot } from "./tree.ts";

/** What an earlier tree is compared for. */
export interface EarlierTreeParts {
  readonly store: StoreReader;
  /** Knows what is still in the store. */
  readonly known: KnownContent;
  /** Called once when a part of the tree cannot be read; it then counts as not there. */
  readonly onDamage: (error: IntegrityError) => void;
}

export class EarlierTree {
  readonly #parts: EarlierTreeParts;
  readonly #lines: readonly SegmentLine[];
  readonly #byFirst: ReadonlyMap<string, SegmentLine>;
  #next = 0;
  #isDamaged = false;
  /** The segment that comes next, read while the walk goes on. */
  #ahead: { readonly line: SegmentLine; readonly entries: Promise<readonly TreeEntry[]> } | undefined;
  #loaded: LoadedSegment[] = [];

  constructor(root: TreeRoot, parts: EarlierTreeParts) {
    this.#parts = parts;
    this.#lines = root.segments;
    this.#byFirst = new Map(root.segments.map((line) => [line.first, line]));
  }

  /** The segment that these entries of a walk are, all of them, where that can be told without reading it. */
  proven(entries: readonly TreeEntry[]): SegmentLine | undefined {
    const line = this.#byFirst.get(entries[0]!.path);
    const { known } = this.#parts;
    if (line?.proof === undefined || line.entries !== entries.length) return undefined;
    if (!known.hasPacks(line.proof.packs) || !known.has(line.segment)) return undefined;
    return stampsOf(entries) === line.proof.stamps ? line : undefined;
  }

  /** Its entries from `first` to `last`, by path. Asked for in ascending order only. */
  async between(first: string, last: string): Promise<EarlierPart> {
    while (this.#loaded.length > 0 && comparePaths(this.#loaded[0]!.line.last, first) < 0) {
      this.#loaded.shift();
    }
    for (let line = this.#lines[this.#next]; line !== undefined; line = this.#lines[++this.#next]) {
      if (comparePaths(line.first, last) > 0) break;
      if (comparePaths(line.last, first) < 0) continue;
      this.#loaded.push({ line, entries: await this.#read(line) });
    }
    return new EarlierPart(this.#loaded, this.#parts.known);
  }

  async #read(line: SegmentLine): Promise<readonly TreeEntry[]> {
    const entries = this.#ahead?.line === line ? this.#ahead.entries : this.#readSegment(line);
    const list = await entries;
    const following = this.#lines[this.#next + 1];
    // What has a proof is most likely not needed.
    if (following !== undefined && following.proof === undefined) {
      this.#ahead = { line: following, entries: this.#readSegment(following) };
      this.#ahead.entries.catch(() => {}); // thrown to who asks for it
    }
    return list;
  }

  async #readSegment(line: SegmentLine): Promise<readonly TreeEntry[]> {
    try {
      return await readSegment(this.#parts.store, line);
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      if (this.#parts.known.has(line.segment)) throw spoiled(error);
      if (!this.#isDamaged) this.#parts.onDamage(error);
      this.#isDamaged = true;
      return [];
    }
  }

  /** Waits for what was read ahead and is not needed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ahead?.entries.catch(() => {});
  }
}

/** What is in the store and does not open would not be stored again: nobody may rely on it unseen. */
export function spoiled(cause: IntegrityError): IntegrityError {
  return new IntegrityError(`The last snapshot cannot be compared with: ${cause.message}`, {
    hint:
      "Move the damaged pack out of the store: what it held is stored again then. `backout snapshot verify " +
      "--read-data` finds all that are damaged.",
    context: cause.context,
    cause,
  });
}

/** A segment that was read. */
interface LoadedSegment {
  readonly line: SegmentLine;
  readonly entries: readonly TreeEntry[];
}

/** What an earlier tree says of a part of the walk. */
export class EarlierPart {
  readonly #loaded: readonly LoadedSegment[];
  readonly #known: KnownContent;
  #byPath: Map<string, TreeEntry> | undefined;

  constructor(loaded: readonly LoadedSegment[], known: KnownContent) {
    this.#loaded = [...loaded];
    this.#known = known;
  }

  /** The earlier segment that these entries are, untouched, all of them; undefined when there is none. */
  sameSegment(entries: readonly TreeEntry[]): SegmentLine | undefined {
    const [only, ...others] = this.#loaded;
    if (only === undefined || others.length > 0 || only.entries.length !== entries.length) return undefined;
    if (!only.entries.every((it, i) => isUntouched(it, entries[i]!))) return undefined;
    const contents = only.entries.flatMap(({ content }) => content ?? []);
    const proof = proofOf(only.entries, this.#known.packsOf(contents));
    if (proof === undefined && !contents.every((it) => this.#known.has(it))) return undefined;
    const { proof: _earlier, ...line } = only.line;
    return proof === undefined ? line : { ...line, proof };
  }

  get(path: string): TreeEntry | undefined {
    if (this.#byPath === undefined) {
      this.#byPath = new Map();
      for (const { entries } of this.#loaded) {
        for (const entry of entries) this.#byPath.set(entry.path, entry);
      }
    }
    return this.#byPath.get(path);
  }

  /** What it says of a path, where that still holds and what the path contained is still in the store. */
  untouched(now: TreeEntry): TreeEntry | undefined {
    const before = this.get(now.path);
    if (before === undefined || !isUntouched(before, now)) return undefined;
    return before.content === undefined || this.#known.has(before.content) ? before : undefined;
  }
}

/** Whether what an earlier tree says of a path still holds: then it is not read. */
export function isUntouched(before: TreeEntry, now: TreeEntry): boolean {
  return before.path === now.path && sameStamp(before, now) && before.link === now.link &&
    before.mode === now.mode && before.uid === now.uid && before.gid === now.gid &&
    before.racy === undefined && before.changing === undefined;
}
