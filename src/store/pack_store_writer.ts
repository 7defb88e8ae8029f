/**
 * Adds content for one snapshot. The order is what a crash relies on: packs durable, index durable, manifest. Whatever
 * comes to an end before the manifest is there leaves a store that reads as before.
 */
import { UsageError } from "#/core/errors.ts";
import { Pacer, throwIfStopped } from "#/core/pace.ts";
import * as posix from "#/core/posix.ts";
import { ConflictError } from "#/storage/object_store.ts";
import type { BatchOptions } from "#/storage/object_store.ts";
import type { StoreBackend } from "./backend.ts";
import { ChunkAdder, type ChunkTaker, counting, type SharedTables, type StoredTally } from "./chunk_adder.ts";
import { MIN_CHUNK_BYTES } from "./chunker.ts";
import type { ChunkCipher } from "./cipher.ts";
import { ContentAdder } from "./content_adder.ts";
import { EarlierVersion } from "./earlier_chunks.ts";
import { addFiles } from "./file_adder.ts";
import { IdTable } from "./id_table.ts";
import { writeIndex } from "./index_file.ts";
import { knownContent } from "./known_content.ts";
import { isSnapshotId, newFileId, snapshotName } from "./layout.ts";
import { encodeManifest } from "./manifest_file.ts";
import type { ContentRef, SnapshotManifest } from "./model.ts";
import { PackIntake } from "./pack_intake.ts";
import type { FileToStore, KnownContent, SharedStoreWriter, StoredFile, StoreWriter } from "./store.ts";
import { storeFailure } from "./store_failure.ts";
import type { StoreIndex } from "./store_index.ts";
import type { HeldStoreLock } from "./store_lock.ts";
import { ThreadPool } from "./thread_pool.ts";

/** What a writer works with; the lock becomes its own. */
export interface WriterParts {
  readonly backend: StoreBackend;
  readonly cipher: ChunkCipher;
  readonly index: StoreIndex;
  readonly lock: HeldStoreLock;
  /** A folder on this machine. */
  readonly scratch: string;
  readonly level: number;
  readonly signal: AbortSignal | undefined;
}

const FIRST_CAPACITY = 4096;
/** What is over it may be stored twice. */
const MAX_CAPACITY = 2 ** 21;
/** Of bytes of a stream between two rests. */
const PIECE_BYTES = 1024 * 1024;

export class PackStoreWriter implements SharedStoreWriter {
  readonly known: KnownContent;
  readonly #parts: WriterParts;
  readonly #intake: PackIntake;
  /** With what the names of this writer's files in the scratch folder begin. */
  readonly #prefix = `${newFileId()}-`;
  #added = IdTable.withCapacity(FIRST_CAPACITY);
  #full: IdTable[] = [];
  #local: ChunkAdder | undefined;
  #pool: Promise<ThreadPool> | undefined;
  #threads: ThreadPool | undefined;
  #ended = false;

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.known = knownContent(parts.index, () => [this.#added, ...this.#full]);
    this.#intake = new PackIntake(parts.backend);
  }

  get storedBytes(): number {
    return (this.#local?.packs.storedBytes ?? 0) + (this.#threads?.storedBytes ?? 0);
  }

  share(): StoreWriter {
    const tally: StoredTally = { bytes: 0 };
    return {
      get storedBytes() {
        return Math.max(0, tally.bytes);
      },
      addFiles: (files, options) => this.addFiles(files, options, tally),
      addBytes: (bytes) => this.addBytes(bytes, tally),
      addStream: (stream, options) => this.addStream(stream, options, tally),
      known: this.known,
      commit: (manifest) => this.commit(manifest),
      putBack: () => this.putBack(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }

  addFiles(
    files: readonly FileToStore[],
    options: BatchOptions = {},
    tally: StoredTally = { bytes: 0 },
  ): Promise<readonly StoredFile[]> {
    return this.#guarded(async () => {
      const most = files.reduce((sum, { size }) => sum + 1 + Math.ceil(size / MIN_CHUNK_BYTES), 0);
      await this.#makeRoomFor(most);
      const signal = anyOf(options.signal, this.#parts.signal);
      return await addFiles(files, {
        local: () => this.#here(tally),
        tally,
        pool: () => this.#pool ??= this.#startPool(),
        isPoolRunning: this.#pool !== undefined,
        room: () => this.#intake.room(),
        earlier: (content) => earlierVersion(content, this.#parts.index),
      }, { ...options, ...(signal === undefined ? {} : { signal }) });
    });
  }

  addBytes(bytes: Uint8Array, tally: StoredTally = { bytes: 0 }): Promise<ContentRef> {
    return this.#guarded(async () => {
      const content = new ContentAdder(this.#here(tally));
      const pacer = new Pacer(this.#parts.signal);
      for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
        if (pacer.due()) await pacer.rest();
        await this.#intake.room();
        content.push(bytes.subarray(at, at + PIECE_BYTES));
      }
      return content.end();
    });
  }

  addStream(
    stream: ReadableStream<Uint8Array>,
    options: { readonly signal?: AbortSignal } = {},
    tally: StoredTally = { bytes: 0 },
  ): Promise<ContentRef> {
    return this.#guarded(async () => {
      const content = new ContentAdder(this.#here(tally));
      const pacer = new Pacer(anyOf(options.signal, this.#parts.signal));
      for await (const bytes of stream) {
        for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
          if (pacer.due()) await pacer.rest();
          await this.#intake.room();
          // Copied: whoever gives the stream may use its buffer again.
          content.push(new Uint8Array(bytes.subarray(at, at + PIECE_BYTES)));
        }
      }
      return content.end();
    });
  }

  commit(manifest: SnapshotManifest): Promise<void> {
    return this.#guarded(async () => {
      const { backend, cipher, lock } = this.#parts;
      if (!isSnapshotId(manifest.id)) {
        throw new UsageError(`A snapshot cannot be named ${JSON.stringify(manifest.id)}`, {
          hint: "Use letters, digits, and . _ + ~ - after the first; at most 128.",
        });
      }
      if (await backend.size(snapshotName(manifest.id)) !== undefined) {
        throw new ConflictError(`There is a snapshot ${manifest.id} in ${backend.location} already`, {
          hint: "Leave --id out, or give another one.",
        });
      }
      await this.#finish();
      await lock.assertHeld();
      await backend.create(snapshotName(manifest.id), encodeManifest(manifest, cipher));
      this.#ended = true;
    });
  }

  putBack(): Promise<void> {
    return this.#guarded(async () => {
      await this.#finish();
      this.#ended = true;
    });
  }

  /** Packs durable, then their index. */
  async #finish(): Promise<void> {
    const { backend, cipher, index, level, signal } = this.#parts;
    this.#local?.finish();
    await this.#threads?.runOnAll({ kind: "finish" });
    const packs = await this.#intake.drain();
    throwIfStopped(signal);
    if (packs.length === 0) return;
    const name = await writeIndex(backend, packs, cipher, level);
    index.add({ name, packs });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    try {
      this.#local?.packs.abort();
      await this.#threads?.runOnAll({ kind: "abort" }).catch(() => {}); // they end in any case
      this.#threads?.[Symbol.dispose]();
      await this.#intake.settled();
      this.#sweepScratch();
    } finally {
      await this.#parts.lock[Symbol.asyncDispose]();
    }
  }

  /** What fails for want of space says so. */
  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    if (this.#ended) throw new Error("the writer of the snapshot store has ended");
    try {
      return await work();
    } catch (error) {
      const { backend, scratch } = this.#parts;
      throw storeFailure(error, backend.location, scratch);
    }
  }

  #here(tally: StoredTally): ChunkTaker {
    this.#local ??= new ChunkAdder(
      { ...this.#packOptions(), cipher: this.#parts.cipher, onPack: (pack) => this.#intake.take(pack) },
      this.#tables(),
    );
    return counting(this.#local, tally);
  }

  #packOptions(): { readonly scratch: string; readonly prefix: string; readonly level: number } {
    return { scratch: this.#parts.scratch, prefix: this.#prefix, level: this.#parts.level };
  }

  async #startPool(): Promise<ThreadPool> {
    const pool = new ThreadPool((reply) => {
      for (const pack of reply.packs) this.#intake.take(pack);
    });
    this.#threads = pool;
    const { material } = this.#parts.cipher;
    await pool.runOnAll({ kind: "add", ...this.#packOptions(), material, tables: this.#tables() });
    return pool;
  }

  #tables(): SharedTables {
    const full = this.#full.map((table) => table.shared);
    return { known: [...this.#parts.index.tables, ...full], added: this.#added.shared };
  }

  /** @param chunks that may be added at most */
  async #makeRoomFor(chunks: number): Promise<void> {
    const more = Math.min(chunks, MAX_CAPACITY);
    if (this.#added.count + more <= this.#added.capacity) return;
    this.#full.push(this.#added);
    this.#added = IdTable.withCapacity(more + FIRST_CAPACITY);
    const tables = this.#tables();
    this.#local?.useTables(tables);
    if (this.#pool !== undefined) await (await this.#pool).runOnAll({ kind: "tables", tables });
  }

  /** What is left of this writer in the scratch folder. */
  #sweepScratch(): void {
    const { scratch } = this.#parts;
    for (const { name } of posix.readFolder(scratch) ?? []) {
      if (name.startsWith(this.#prefix)) posix.unlink(`${scratch}/${name}`);
    }
  }
}

/** The last chunk ends where the content ended, and says nothing of how it is cut now. */
function earlierVersion({ chunks }: ContentRef, index: StoreIndex): EarlierVersion | undefined {
  const ids = chunks.slice(0, -1);
  const sizes = ids.map((id) => index.find(Uint8Array.fromHex(id))?.size);
  return sizes.every((size) => size !== undefined) ? new EarlierVersion(ids, sizes) : undefined;
}

function anyOf(...signals: readonly (AbortSignal | undefined)[]): AbortSignal | undefined {
  const given = signals.filter((signal) => signal !== undefined);
  return given.length > 1 ? AbortSignal.any(given) : given[0];
}
