/** Which chunks snapshots refer to: directly, and through the trees that they name. */
import { Pacer } from "#/core/pace.ts";
import { ChunkSet } from "./chunk_set.ts";
import type { ContentRef, SnapshotManifest, StoredRoot } from "./model.ts";
import type { StoreReader } from "./store.ts";
import { segmentContents, treeSegments } from "./tree_refs.ts";

/** No root of a tree, and no segment, is larger. */
export const MAX_TREE_BYTES = 256 * 1024 * 1024;

export class LiveChunks {
  readonly ids: ChunkSet = new ChunkSet();
  readonly #reader: Pick<StoreReader, "readBytes">;
  readonly #pacer: Pacer;
  /** Roots and segments that were walked: most are shared with the snapshot before. */
  readonly #walked = new Set<string>();

  readonly #isPlainOnly: boolean;

  /** @param isPlainOnly leaves out what trees themselves are made of */
  constructor(reader: Pick<StoreReader, "readBytes">, signal?: AbortSignal, isPlainOnly = false) {
    this.#reader = reader;
    this.#isPlainOnly = isPlainOnly;
    this.#pacer = new Pacer(signal);
  }

  /** Adds what a snapshot keeps alive. @throws {IntegrityError} a tree of it cannot be read */
  async addSnapshot(manifest: SnapshotManifest): Promise<void> {
    for (const target of manifest.targets) {
      for (const root of target.roots) await this.addRoot(root);
    }
  }

  async addRoot(root: StoredRoot): Promise<void> {
    if (root.kind === "content") return this.#addContent(root.content);
    this.#addTreePart(root.content);
    if (!this.#isNew(root.content)) return;
    const bytes = await this.#reader.readBytes(root.content, { maxBytes: MAX_TREE_BYTES });
    for (const segment of treeSegments(bytes)) {
      this.#addTreePart(segment);
      if (this.#isNew(segment)) await this.#addSegment(segment);
    }
    this.#walked.add(keyOf(root.content));
  }

  async #addSegment(segment: ContentRef): Promise<void> {
    if (this.#pacer.due()) await this.#pacer.rest();
    const bytes = await this.#reader.readBytes(segment, { maxBytes: MAX_TREE_BYTES });
    for (const content of segmentContents(bytes)) this.#addContent(content);
    this.#walked.add(keyOf(segment));
  }

  #addTreePart(content: ContentRef): void {
    if (!this.#isPlainOnly) this.#addContent(content);
  }

  #addContent(content: ContentRef): void {
    for (const chunk of content.chunks) this.ids.addHex(chunk);
  }

  #isNew(content: ContentRef): boolean {
    return !this.#walked.has(keyOf(content));
  }
}

/** Equal for equal content. */
export function keyOf(content: ContentRef): string {
  return `${content.size} ${content.chunks.join(" ")}`;
}
