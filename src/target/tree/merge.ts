/** Two lists of entries in the order of a walk, side by side. */
import type { TreeEntry } from "./entry.ts";
import type { Seen } from "./look.ts";
import { comparePaths } from "./path.ts";

export interface Pair<Left, Right> {
  readonly path: string;
  readonly left?: Left;
  readonly right?: Right;
}

type Lists<T> = AsyncIterable<readonly T[]>;

/** Every path of either, once, in order. */
export async function* mergeTrees<Left extends TreeEntry, Right extends TreeEntry>(
  lefts: Lists<Left>,
  rights: Lists<Right>,
): AsyncGenerator<readonly Pair<Left, Right>[]> {
  const left = new Cursor(lefts);
  const right = new Cursor(rights);
  await left.fill();
  await right.fill();
  while (left.head !== undefined || right.head !== undefined) {
    const pairs: Pair<Left, Right>[] = [];
    // As long as both have something in memory: no waiting for each path.
    do {
      const [a, b] = [left.head, right.head];
      const order = a === undefined ? 1 : b === undefined ? -1 : comparePaths(a.path, b.path);
      if (order === 0) pairs.push({ path: a!.path, left: left.take(), right: right.take() });
      else if (order < 0) pairs.push({ path: a!.path, left: left.take() });
      else pairs.push({ path: b!.path, right: right.take() });
    } while (left.ready && right.ready && (left.head !== undefined || right.head !== undefined));
    yield pairs;
    await left.fill();
    await right.fill();
  }
}

class Cursor<T> {
  readonly #source: AsyncIterator<readonly T[]>;
  #list: readonly T[] = [];
  #at = 0;
  #ended = false;

  constructor(source: Lists<T>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  get head(): T | undefined {
    return this.#list[this.#at];
  }

  /** False when `fill` must be called before `head` means anything. */
  get ready(): boolean {
    return this.#ended || this.#at < this.#list.length;
  }

  take(): T {
    return this.#list[this.#at++]!;
  }

  async fill(): Promise<void> {
    while (!this.ready) {
      const { done, value } = await this.#source.next();
      this.#ended = done === true;
      this.#list = done === true ? [] : value;
      this.#at = 0;
    }
  }
}

/** A walk in lists, so that it can stand beside a tree that is read. */
export async function* inLists(entries: Iterable<Seen>): AsyncGenerator<readonly Seen[]> {
  let list: Seen[] = [];
  for (const entry of entries) {
    list.push(entry);
    if (list.length < 2048) continue;
    yield list;
    list = [];
  }
  if (list.length > 0) yield list;
}
