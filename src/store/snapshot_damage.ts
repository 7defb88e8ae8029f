/** Which snapshots damaged chunks belong to. */
import { IntegrityError } from "#/core/errors.ts";
import { keyOf, MAX_TREE_BYTES } from "./live_chunks.ts";
import type { ContentRef, SnapshotManifest, StoredRoot } from "./model.ts";
import type { StoreParts } from "./store_parts.ts";
import { segmentContents, treeSegments } from "./tree_refs.ts";

/** A tree of this target cannot be read. */
export interface UnreadableTarget {
  readonly snapshot: string;
  readonly target: string;
  readonly reason: string;
}

/** What of a snapshot cannot be restored. */
export interface SnapshotDamage {
  readonly id: string;
  readonly targets: readonly {
    readonly name: string;
    /** References to damaged chunks; null where the tree cannot be read, so that they cannot be counted. */
    readonly chunks: number | null;
    /** Why the tree cannot be read; empty where it can. */
    readonly reason: string;
  }[];
}

/** @param bad ids of damaged chunks, in hex */
export async function damagesOf(
  { reader }: StoreParts,
  snapshots: readonly SnapshotManifest[],
  bad: ReadonlySet<string>,
  unreadable: readonly UnreadableTarget[],
): Promise<readonly SnapshotDamage[]> {
  if (bad.size === 0 && unreadable.length === 0) return [];
  const counter = new BadCounter(reader, bad);
  const damages: SnapshotDamage[] = [];
  for (const { id, targets } of snapshots) {
    const hit: SnapshotDamage["targets"][number][] = [];
    for (const { name, roots } of targets) {
      const known = unreadable.find((it) => it.snapshot === id && it.target === name);
      const damage = known === undefined
        ? await counter.count(roots)
        : { chunks: null, reason: known.reason };
      if (damage.chunks !== 0) hit.push({ name, ...damage });
    }
    if (hit.length > 0) damages.push({ id, targets: hit });
  }
  return damages;
}

class BadCounter {
  readonly #reader: StoreParts["reader"];
  readonly #bad: ReadonlySet<string>;
  /** Of trees and segments: most are shared with the snapshot before. */
  readonly #known = new Map<string, number>();

  constructor(reader: StoreParts["reader"], bad: ReadonlySet<string>) {
    this.#reader = reader;
    this.#bad = bad;
  }

  async count(
    roots: readonly StoredRoot[],
  ): Promise<{ readonly chunks: number | null; readonly reason: string }> {
    let chunks = 0;
    try {
      for (const { kind, content } of roots) {
        chunks += this.#ofContent(content);
        if (kind === "tree") chunks += await this.#ofTree(content);
      }
      return { chunks, reason: "" };
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      return { chunks: null, reason: error.message };
    }
  }

  #ofContent(content: ContentRef): number {
    return content.chunks.reduce((sum, id) => sum + (this.#bad.has(id) ? 1 : 0), 0);
  }

  #ofTree(root: ContentRef): Promise<number> {
    return this.#once(root, async (bytes) => {
      let sum = 0;
      for (const segment of treeSegments(bytes)) {
        sum += this.#ofContent(segment);
        sum += await this.#once(segment, (entries) => {
          return Promise.resolve(segmentContents(entries).reduce((all, it) => all + this.#ofContent(it), 0));
        });
      }
      return sum;
    });
  }

  async #once(content: ContentRef, count: (bytes: Uint8Array) => Promise<number>): Promise<number> {
    const key = keyOf(content);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const sum = await count(await this.#reader.readBytes(content, { maxBytes: MAX_TREE_BYTES }));
    this.#known.set(key, sum);
    return sum;
  }
}
