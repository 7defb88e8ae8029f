/** An earlier tree, read alongside a walk: both are in the same order, so at any time few of its segments are in memory. */
import type { StoreReader } from "#/store/store.ts";
import { sameStamp, type TreeEntry } from "./entry.ts";
import { comparePaths } from "./path.ts";
import { readSegment, type SegmentLine, type TreeRoot } from "./tree.ts";

export class EarlierTree {
  readonly #store: StoreReader;
  readonly #lines: readonly SegmentLine[];
  #next = 0;
  /** The segment that comes next, read while the walk goes on. */
  #ahead: { readonly line: SegmentLine; readonly entries: Promise<readonly TreeEntry[]> } | undefined;
  #loaded: { readonly line: SegmentLine; readonly entries: readonly TreeEntry[] }[] = [];

  constructor(store: StoreReader, root: TreeRoot) {
    this.#store = store;
    this.#lines = root.segments;
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
    const only = this.#loaded.length === 1 ? this.#loaded[0] : undefined;
    return new EarlierPart(this.#loaded.map((it) => it.entries), only);
  }

  async #read(line: SegmentLine): Promise<readonly TreeEntry[]> {
    const entries = this.#ahead?.line === line ? this.#ahead.entries : readSegment(this.#store, line);
    const list = await entries;
    const following = this.#lines[this.#next + 1];
    if (following !== undefined) {
      this.#ahead = { line: following, entries: readSegment(this.#store, following) };
      this.#ahead.entries.catch(() => {}); // thrown to who asks for it
    }
    return list;
  }

  /** Waits for what was read ahead and is not needed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ahead?.entries.catch(() => {});
  }
}

/** What an earlier tree says of a part of the walk. */
export class EarlierPart {
  readonly #lists: readonly (readonly TreeEntry[])[];
  readonly #only: { readonly line: SegmentLine; readonly entries: readonly TreeEntry[] } | undefined;
  #byPath: Map<string, TreeEntry> | undefined;

  constructor(
    lists: readonly (readonly TreeEntry[])[],
    only?: { readonly line: SegmentLine; readonly entries: readonly TreeEntry[] },
  ) {
    this.#lists = lists;
    this.#only = only;
  }

  /** The earlier segment that these entries are, untouched, all of them; undefined when there is none. */
  sameSegment(entries: readonly TreeEntry[]): SegmentLine | undefined {
    const only = this.#only;
    if (only === undefined || only.entries.length !== entries.length) return undefined;
    const same = only.entries.every((it, i) => isUntouched(it, entries[i]!));
    return same ? only.line : undefined;
  }

  get(path: string): TreeEntry | undefined {
    if (this.#byPath === undefined) {
      this.#byPath = new Map();
      for (const list of this.#lists) for (const entry of list) this.#byPath.set(entry.path, entry);
    }
    return this.#byPath.get(path);
  }
}

/** Whether what an earlier tree says of a path still holds: then it is not read. */
export function isUntouched(before: TreeEntry, now: TreeEntry): boolean {
  return before.path === now.path && sameStamp(before, now) && before.link === now.link &&
    before.mode === now.mode && before.uid === now.uid && before.gid === now.gid &&
    before.racy === undefined && before.changing === undefined;
}
