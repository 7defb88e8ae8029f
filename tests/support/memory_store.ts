/** A snapshot store in memory for tests of targets: the same ports as the real one, no packs and no lock. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { ContentRef, SnapshotManifest } from "#/store/model.ts";
import type {
  FilesWritten,
  FileToStore,
  FileToWrite,
  KnownContent,
  StoredFile,
  StoreReader,
  StoreWriter,
} from "#/store/store.ts";
import { IntegrityError } from "#/core/errors.ts";

const CHUNK = 1 << 20;

export class MemoryStore implements StoreReader, StoreWriter {
  readonly location = "memory";
  readonly chunks = new Map<string, Uint8Array>();
  readonly #snapshots: SnapshotManifest[] = [];
  storedBytes = 0;
  /** There are no packs: what is there is all in one. */
  readonly known: KnownContent = {
    has: (content) => this.#has(content),
    packsOf: (contents) => contents.every((it) => this.#has(it)) ? ["memory"] : undefined,
    hasPacks: (ids) => ids.every((id) => id === "memory"),
  };

  listSnapshots(): Promise<{ snapshots: readonly SnapshotManifest[]; damaged: readonly string[] }> {
    return Promise.resolve({ snapshots: [...this.#snapshots], damaged: [] });
  }

  async *recentSnapshots(): AsyncGenerator<SnapshotManifest> {
    yield* (await this.listSnapshots()).snapshots.toReversed();
  }

  readSnapshot(id: string): Promise<SnapshotManifest | undefined> {
    return Promise.resolve(this.#snapshots.find((it) => it.id === id));
  }

  readBytes(content: ContentRef, options: { readonly maxBytes: number }): Promise<Uint8Array> {
    assert.ok(content.size <= options.maxBytes, `${content.size} bytes, more than ${options.maxBytes}`);
    const whole = new Uint8Array(content.size);
    let offset = 0;
    for (const id of content.chunks) {
      const bytes = this.#chunk(id);
      whole.set(bytes, offset);
      offset += bytes.length;
    }
    return Promise.resolve(whole);
  }

  readStream(content: ContentRef): ReadableStream<Uint8Array<ArrayBuffer>> {
    const ids = [...content.chunks];
    return new ReadableStream({
      pull: (controller) => {
        const id = ids.shift();
        if (id === undefined) controller.close();
        else controller.enqueue(this.#chunk(id).slice());
      },
    });
  }

  async writeFiles(files: readonly FileToWrite[]): Promise<FilesWritten> {
    for (const { content, path } of files) {
      const bytes = await this.readBytes(content, { maxBytes: Infinity });
      Deno.writeFileSync(path, bytes, { createNew: true, mode: 0o600 });
    }
    return { undressed: new Set(files.map(({ path }) => path)) };
  }

  async addFiles(files: readonly FileToStore[]): Promise<readonly StoredFile[]> {
    const stored: StoredFile[] = [];
    for (const { path } of files) {
      const info = lstat(path);
      if (info === undefined) stored.push({ kind: "vanished" });
      else if (!info.isFile) stored.push({ kind: "unreadable", reason: "is not a file" });
      else stored.push({ kind: "stored", content: await this.addBytes(Deno.readFileSync(path)) });
    }
    return stored;
  }

  addBytes(bytes: Uint8Array): Promise<ContentRef> {
    const chunks: string[] = [];
    for (let at = 0; at < bytes.length; at += CHUNK) {
      const part = bytes.slice(at, at + CHUNK);
      const id = createHash("sha256").update(part).digest("hex");
      if (!this.chunks.has(id)) this.storedBytes += part.length;
      this.chunks.set(id, part);
      chunks.push(id);
    }
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    // As the real store: known only where there is at most one chunk.
    return Promise.resolve({ size: bytes.length, chunks, ...(chunks.length <= 1 ? { sha256 } : {}) });
  }

  async addStream(stream: ReadableStream<Uint8Array>): Promise<ContentRef> {
    const parts: Uint8Array[] = [];
    for await (const part of stream) parts.push(part);
    return await this.addBytes(new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer()));
  }

  commit(manifest: SnapshotManifest): Promise<void> {
    this.#snapshots.push(manifest);
    return Promise.resolve();
  }

  putBack(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  #has({ chunks }: ContentRef): boolean {
    return chunks.every((id) => this.chunks.has(id));
  }

  #chunk(id: string): Uint8Array {
    const bytes = this.chunks.get(id);
    if (bytes === undefined) throw new IntegrityError(`There is no chunk ${id} in the store`);
    return bytes;
  }
}

function lstat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
