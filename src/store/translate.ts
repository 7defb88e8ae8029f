/** A snapshot told in the ids of another store: its manifest and trees name chunks, and keys give chunks other ids. */
import { IntegrityError } from "#/core/errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "#/core/json.ts";
import { keyOf, MAX_TREE_BYTES } from "./live_chunks.ts";
import type { ChunkId, ContentRef, SavedTarget, SnapshotManifest, StoredRoot } from "./model.ts";
import type { StoreReader, StoreWriter } from "./store.ts";
import { isContentRef, segmentContents, treeSegments } from "./tree_refs.ts";

export interface TranslationParts {
  readonly from: Pick<StoreReader, "readBytes" | "location">;
  readonly to: Pick<StoreWriter, "addBytes">;
  /** The id of a chunk in the other store. */
  readonly idOf: (id: ChunkId) => ChunkId | undefined;
}

export class Translation {
  readonly #parts: TranslationParts;
  /** Trees and segments, which are other bytes there. */
  readonly #rewritten = new Map<string, ContentRef>();

  constructor(parts: TranslationParts) {
    this.#parts = parts;
  }

  /** With another writer: a translation may go on over several snapshots. */
  with(to: TranslationParts["to"]): Translation {
    const next = new Translation({ ...this.#parts, to });
    for (const [key, content] of this.#rewritten) next.#rewritten.set(key, content);
    return next;
  }

  /** Stores the trees in the other store. @throws {IntegrityError} something it refers to is not there */
  async manifest(manifest: SnapshotManifest): Promise<SnapshotManifest> {
    const targets: SavedTarget[] = [];
    for (const target of manifest.targets) {
      const roots: StoredRoot[] = [];
      for (const root of target.roots) {
        roots.push({
          ...root,
          content: root.kind === "tree" ? await this.#tree(root.content) : this.#ref(root.content),
        });
      }
      targets.push({ ...target, roots, state: this.#value(target.state) as JsonObject });
    }
    return { ...manifest, targets };
  }

  async #tree(root: ContentRef): Promise<ContentRef> {
    return await this.#once(root, async (bytes) => {
      const segments = new Map<string, ContentRef>();
      for (const segment of treeSegments(bytes)) {
        segments.set(
          keyOf(segment),
          await this.#once(segment, (entries) => Promise.resolve(this.#segment(entries))),
        );
      }
      return rewriteLines(bytes, (line) => {
        const segment = line.segment;
        return isContentRef(segment) ? { ...line, segment: jsonOf(segments.get(keyOf(segment))!) } : line;
      });
    });
  }

  #segment(bytes: Uint8Array): Uint8Array {
    segmentContents(bytes); // refuses what is no segment
    return rewriteLines(bytes, (line) => {
      return isContentRef(line.content) ? { ...line, content: jsonOf(this.#ref(line.content)) } : line;
    });
  }

  async #once(
    content: ContentRef,
    rewrite: (bytes: Uint8Array) => Promise<Uint8Array>,
  ): Promise<ContentRef> {
    const key = keyOf(content);
    const known = this.#rewritten.get(key);
    if (known !== undefined) return known;
    const bytes = await this.#parts.from.readBytes(content, { maxBytes: MAX_TREE_BYTES });
    const rewritten = await this.#parts.to.addBytes(await rewrite(bytes));
    this.#rewritten.set(key, rewritten);
    return rewritten;
  }

  #ref(content: ContentRef): ContentRef {
    return { ...content, chunks: content.chunks.map((id) => this.#id(id)) };
  }

  #id(id: ChunkId): ChunkId {
    const other = this.#parts.idOf(id);
    if (other !== undefined) return other;
    throw new IntegrityError(
      `The snapshot store ${this.#parts.from.location} names a chunk ${id} that was not copied`,
      {
        hint: "A target refers to content that its snapshot does not keep: run `backout snapshot verify`.",
      },
    );
  }

  /** References anywhere in what a driver wrote down. */
  #value(value: JsonValue | undefined): JsonValue {
    if (Array.isArray(value)) return value.map((it: JsonValue) => this.#value(it));
    if (!isJsonObject(value)) return value as JsonValue;
    if (isContentRef(value)) return jsonOf(this.#rewritten.get(keyOf(value)) ?? this.#ref(value));
    return Object.fromEntries(Object.entries(value).map(([name, it]) => [name, this.#value(it)]));
  }
}

function rewriteLines(bytes: Uint8Array, change: (line: JsonObject) => JsonObject): Uint8Array {
  const lines = new TextDecoder().decode(bytes).split("\n").map((line) => {
    return line === "" ? line : JSON.stringify(change(JSON.parse(line) as JsonObject));
  });
  return new TextEncoder().encode(lines.join("\n"));
}

function jsonOf(content: ContentRef): JsonObject {
  return { ...content, chunks: [...content.chunks] };
}
