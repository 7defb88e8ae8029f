/** Hard links: which paths of a walk are the same file. The first in the walk's order stands for all. */
import type { TreeEntry } from "./entry.ts";
import type { Seen } from "./look.ts";

export class HardLinks {
  readonly #first = new Map<string, string>();

  /** The earlier path of the same file, undefined for the first of them. */
  of(entry: Seen): string | undefined {
    if (entry.type !== "file" || entry.nlink < 2) return undefined;
    const key = `${entry.dev} ${entry.ino}`;
    const first = this.#first.get(key);
    if (first === undefined) this.#first.set(key, entry.path);
    return first;
  }

  /** The same with `link` set, where it is a further name of a file. */
  linked<Entry extends Seen>(entry: Entry): Entry & TreeEntry {
    const link = this.of(entry);
    return link === undefined ? entry : { ...entry, link };
  }

  /** A first path went: the next one found stands for the rest. */
  forget(path: string): void {
    for (const [key, first] of this.#first) if (first === path) this.#first.delete(key);
  }
}
