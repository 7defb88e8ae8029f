/** A snapshot store on any backend: manifests here, content by the reader and the writer. */
import { IntegrityError, RollbackVersionNotFoundError, UsageError } from "#/core/errors.ts";
import type { BatchOptions } from "#/storage/object_store.ts";
import type { StoreBackend } from "./backend.ts";
import type { ChunkCipher } from "./cipher.ts";
import { createCipher, openCipher } from "./encryption.ts";
import {
  INDEX_FOLDER,
  isEntryId,
  isSnapshotId,
  PACK_FOLDER,
  SNAPSHOT_FOLDER,
  snapshotIdOf,
  snapshotName,
} from "./layout.ts";
import { decodeManifest, encodeManifest } from "./manifest_file.ts";
import type { ContentRef, SnapshotManifest } from "./model.ts";
import type { StoreEncryption } from "./options.ts";
import { PackStoreReader } from "./pack_store_reader.ts";
import { PackStoreWriter } from "./pack_store_writer.ts";
import type {
  FilesWritten,
  FileToWrite,
  ListManifests,
  ManifestsRead,
  SharedStoreWriter,
  SnapshotStore,
} from "./store.ts";
import { createStoreConfig, readStoreConfig } from "./store_config.ts";
import { StoreIndex } from "./store_index.ts";
import { lockStore } from "./store_lock.ts";

export interface SnapshotStoreOptions {
  readonly encryption?: StoreEncryption | undefined;
  /** For a passphrase. @default the process's */
  readonly env?: (name: string) => string | undefined;
  /** Of zstd. @default 1 */
  readonly level?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Who takes the lock, for others to read. */
  readonly by?: string | undefined;
  /** Called once when a collection has to be waited for, with a sentence about who it is. */
  readonly onWait?: ((holders: readonly string[]) => void) | undefined;
}

/** What is known of a store once its configuration was read. */
interface Opened {
  readonly cipher: ChunkCipher;
  readonly index: StoreIndex;
  readonly reader: PackStoreReader;
}

const DEFAULT_LEVEL = 1;
/** Manifests that are read at the same time. */
const AT_ONCE = 16;

/**
 * Opens the store that lies on a backend, which becomes the store's own. Where there is none yet, it reads as empty and is
 * made by the first `write`.
 * @throws {UsageError} the key is missing or wrong
 * @throws {IntegrityError} its configuration is damaged
 */
export async function openStoreOn(
  backend: StoreBackend,
  options: SnapshotStoreOptions = {},
): Promise<PackSnapshotStore> {
  const store = new PackSnapshotStore(backend, options);
  await store.parts();
  return store;
}

export class PackSnapshotStore implements SnapshotStore {
  readonly backend: StoreBackend;
  readonly #options: SnapshotStoreOptions;
  #opened: Opened | undefined;

  constructor(backend: StoreBackend, options: SnapshotStoreOptions) {
    this.backend = backend;
    this.#options = options;
  }

  get location(): string {
    return this.backend.location;
  }

  /** Undefined when there is no store yet. */
  async parts(): Promise<Opened | undefined> {
    if (this.#opened !== undefined) return this.#opened;
    const config = await readStoreConfig(this.backend);
    if (config === undefined) return undefined;
    return this.#opened ??= this.#with(
      openCipher(config.encryption, this.#options.encryption, this.#context()),
    );
  }

  async listSnapshots({ kind = "snapshots" }: ListManifests = {}): Promise<ManifestsRead> {
    const ids: string[] = [];
    for await (const { name } of this.backend.list(SNAPSHOT_FOLDER)) {
      const id = snapshotIdOf(name);
      if (id !== undefined && (kind === "all" || isEntryId(id) === (kind === "entries"))) ids.push(id);
    }
    const snapshots: SnapshotManifest[] = [];
    const damaged: string[] = [];
    for (const some of groupsOf(ids)) {
      const read = await this.#readSnapshots(some);
      snapshots.push(...read.snapshots);
      damaged.push(...read.damaged);
    }
    return { snapshots: snapshots.sort(byAge), damaged };
  }

  async *recentSnapshots(): AsyncGenerator<SnapshotManifest> {
    const files: { readonly id: string; readonly modified: number }[] = [];
    for await (const { name, modified } of this.backend.list(SNAPSHOT_FOLDER)) {
      const id = snapshotIdOf(name);
      if (id !== undefined && !isEntryId(id)) files.push({ id, modified });
    }
    files.sort((a, b) => b.modified - a.modified);
    for (const some of groupsOf(files.map(({ id }) => id))) {
      const { snapshots } = await this.#readSnapshots(some);
      yield* snapshots.toSorted(byAge).reverse();
    }
  }

  async readSnapshot(id: string): Promise<SnapshotManifest | undefined> {
    if (!isSnapshotId(id)) return undefined;
    const opened = await this.parts();
    const bytes = opened === undefined ? undefined : await this.backend.read(snapshotName(id));
    if (opened === undefined || bytes === undefined) return undefined;
    return decodeManifest(bytes, id, opened.cipher, this.location);
  }

  async readBytes(content: ContentRef, options: { readonly maxBytes: number }): Promise<Uint8Array> {
    return await (await this.#reader()).readBytes(content, options);
  }

  readStream(content: ContentRef): ReadableStream<Uint8Array<ArrayBuffer>> {
    let reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | undefined;
    return new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull: async (controller) => {
        reader ??= (await this.#reader()).readStream(content).getReader();
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader?.cancel(reason),
    }, { highWaterMark: 0 });
  }

  async writeFiles(files: readonly FileToWrite[], options: BatchOptions = {}): Promise<FilesWritten> {
    return await (await this.#reader()).writeFiles(files, options);
  }

  async write(options: { readonly signal?: AbortSignal } = {}): Promise<SharedStoreWriter> {
    const signal = options.signal ?? this.#options.signal;
    const lock = await this.#lock("write a snapshot", signal);
    try {
      const { cipher, index } = await this.parts() ?? await this.#create();
      await index.refresh();
      const scratch = await this.backend.scratch();
      const level = this.#options.level ?? DEFAULT_LEVEL;
      return new PackStoreWriter({ backend: this.backend, cipher, index, lock, scratch, level, signal });
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      throw error;
    }
  }

  async updateSnapshot(
    id: string,
    change: Partial<Pick<SnapshotManifest, "pinned" | "mark" | "labels" | "description">>,
  ): Promise<SnapshotManifest> {
    // So that it cannot be deleted, and its bytes be collected, between reading and replacing it.
    await using lock = await this.#lock("change a snapshot", this.#options.signal);
    const old = await this.readSnapshot(id);
    if (old === undefined) {
      throw new RollbackVersionNotFoundError(
        `There is no snapshot ${JSON.stringify(id)} in ${this.location}`,
        {
          hint: "List what there is: backout snapshot list",
        },
      );
    }
    const { pinned = old.pinned, mark = old.mark, labels = old.labels, description = old.description } =
      change;
    const changed: SnapshotManifest = { ...old, pinned, mark, labels, description };
    const { cipher } = (await this.parts())!;
    await lock.assertHeld();
    await this.backend.replace(snapshotName(id), encodeManifest(changed, cipher));
    return changed;
  }

  async deleteSnapshot(id: string): Promise<void> {
    if (!isSnapshotId(id)) {
      throw new UsageError(`No snapshot can be named ${JSON.stringify(id)}`, {
        hint: "List what there is: backout snapshot list",
      });
    }
    await this.backend.remove([snapshotName(id)]);
  }

  async usage(): Promise<{ readonly bytes: number; readonly packs: number; readonly snapshots: number }> {
    let bytes = 0;
    const counts: Record<string, number> = {};
    for (const folder of [PACK_FOLDER, INDEX_FOLDER, SNAPSHOT_FOLDER]) {
      for await (const { name, size } of this.backend.list(folder)) {
        bytes += size;
        if (isEntryId(snapshotIdOf(name) ?? "")) continue;
        counts[folder] = (counts[folder] ?? 0) + 1;
      }
    }
    return { bytes, packs: counts[PACK_FOLDER] ?? 0, snapshots: counts[SNAPSHOT_FOLDER] ?? 0 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#opened?.reader[Symbol.dispose]();
    await this.backend[Symbol.asyncDispose]();
  }

  async #readSnapshots(ids: readonly string[]): Promise<ManifestsRead> {
    const snapshots: SnapshotManifest[] = [];
    const damaged: string[] = [];
    const read = await Promise.allSettled(ids.map((id) => this.readSnapshot(id)));
    read.forEach((result, i) => {
      if (result.status === "fulfilled") {
        if (result.value !== undefined) snapshots.push(result.value);
      } else if (result.reason instanceof IntegrityError) damaged.push(snapshotName(ids[i]!));
      else throw result.reason;
    });
    return { snapshots, damaged };
  }

  async #reader(): Promise<PackStoreReader> {
    const opened = await this.parts();
    if (opened !== undefined) return opened.reader;
    throw new IntegrityError(`There is no snapshot store in ${this.location}: it has no config.json`, {
      hint: "Check the location; where the store was, put config.json back from a copy of it.",
      context: { store: this.location },
    });
  }

  async #create(): Promise<Opened> {
    const cipher = createCipher(this.#options.encryption, this.#context());
    const config = await createStoreConfig(this.backend, cipher.descriptor);
    // Somebody else may have made it at the same moment: then with their key.
    return this.#opened ??= this.#with(
      openCipher(config.encryption, this.#options.encryption, this.#context()),
    );
  }

  #with(cipher: ChunkCipher): Opened {
    const index = new StoreIndex(this.backend, cipher);
    return { cipher, index, reader: new PackStoreReader(this.backend, cipher, index) };
  }

  #lock(operation: string, signal: AbortSignal | undefined): ReturnType<typeof lockStore> {
    const { by, onWait } = this.#options;
    return lockStore(this.backend, "shared", {
      operation,
      signal,
      ...(by === undefined ? {} : { by }),
      ...(onWait === undefined ? {} : { onWait }),
    });
  }

  #context(): { readonly env: (name: string) => string | undefined; readonly location: string } {
    return { env: this.#options.env ?? ((name) => Deno.env.get(name)), location: this.location };
  }
}

function* groupsOf(ids: readonly string[]): Generator<readonly string[]> {
  for (let at = 0; at < ids.length; at += AT_ONCE) yield ids.slice(at, at + AT_ONCE);
}

/** The oldest first. */
function byAge(a: SnapshotManifest, b: SnapshotManifest): number {
  return compare(a.created_at, b.created_at) || compare(a.id, b.id);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
