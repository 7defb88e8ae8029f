/** Reads content: chunk by chunk, or many files in the order in which their bytes lie in the packs. */
import { IntegrityError } from "#/core/errors.ts";
import { Pacer, throwIfStopped } from "#/core/pace.ts";
import { createOutput } from "#/core/posix_files.ts";
import { attempt } from "#/core/system_error.ts";
import { mapLimited } from "#/storage/limit.ts";
import type { BatchOptions } from "#/storage/object_store.ts";
import type { StoreBackend } from "./backend.ts";
import type { ChunkPlace } from "./chunk_index.ts";
import type { ChunkCipher } from "./cipher.ts";
import { planBases, type PlannedBaseJob } from "./base_file.ts";
import { type ChunksOfFiles, type FrameRun, planFrames } from "./frame_plan.ts";
import { packName } from "./layout.ts";
import type { ChunkId, ContentRef } from "./model.ts";
import { damagedPack } from "./pack_format.ts";
import { assertChunk, openFrame, restoreFrames, type RestoreJob } from "./restore_frames.ts";
import type { FilesWritten, FileToWrite } from "./store.ts";
import type { StoreIndex } from "./store_index.ts";
import { ThreadPool } from "./thread_pool.ts";

/** Below these a thread costs more than it gives. */
const THREADS_WORTH_FILES = 400;
const THREADS_WORTH_BYTES = 8 * 1024 * 1024;
/** Runs that are read or being written at the same time. */
const RUNS_AT_ONCE = 5;
const RECENT_FRAMES = 4;
const FILE_MODE = 0o600;

interface KnownFrame {
  readonly pack: string;
  readonly offset: number;
  readonly raw: Uint8Array;
}

export class PackStoreReader implements Disposable {
  readonly #backend: StoreBackend;
  readonly #cipher: ChunkCipher;
  readonly #index: StoreIndex;
  /** What was read last, newest first: neighbours of it are asked for next, by several who read at the same time. */
  #recent: readonly KnownFrame[] = [];
  /** Started by the first call that is worth it, and kept: to start one takes as long as to write a thousand files. */
  #pool: ThreadPool | undefined;
  /** Pools of which a thread broke: others may still wait for the other thread. */
  readonly #broken: ThreadPool[] = [];

  constructor(backend: StoreBackend, cipher: ChunkCipher, index: StoreIndex) {
    this.#backend = backend;
    this.#cipher = cipher;
    this.#index = index;
  }

  async readBytes(content: ContentRef, { maxBytes }: { readonly maxBytes: number }): Promise<Uint8Array> {
    if (content.size > maxBytes) {
      throw new IntegrityError(
        `What the snapshot store ${this.#backend.location} holds is ${content.size} bytes long, where at most ` +
          `${maxBytes} can be right`,
        { hint: "Run `backout snapshot verify --read-data`." },
      );
    }
    const bytes = new Uint8Array(content.size);
    let at = 0;
    for (const id of content.chunks) {
      const chunk = await this.readChunk(id);
      if (at + chunk.length > bytes.length) throw this.#wrongSize(content);
      bytes.set(chunk, at);
      at += chunk.length;
    }
    if (at !== content.size) throw this.#wrongSize(content);
    return bytes;
  }

  readStream(content: ContentRef): ReadableStream<Uint8Array<ArrayBuffer>> {
    let next = 0;
    let left = content.size;
    return new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull: async (controller) => {
        const id = content.chunks[next++];
        if (id === undefined) {
          if (left !== 0) throw this.#wrongSize(content);
          return controller.close();
        }
        const chunk = new Uint8Array(await this.readChunk(id));
        left -= chunk.length;
        controller.enqueue(chunk);
      },
    }, { highWaterMark: 0 });
  }

  /** The bytes of a chunk, checked; they are shared, do not change them. @throws {IntegrityError} */
  async readChunk(id: ChunkId): Promise<Uint8Array> {
    const known = this.#tryFind(id);
    const frame = known === undefined ? undefined : await this.#frame(known);
    const place = known === undefined || frame === undefined ? await this.#findAnew(id) : known;
    const name = packName(place.pack.id);
    const raw = frame ?? await this.#frame(place);
    if (raw === undefined) throw damagedPack(this.#backend, name, "it is missing");
    const bytes = raw.subarray(place.start, place.start + place.size);
    assertChunk(this.#backend, name, bytes, id, this.#cipher);
    return bytes;
  }

  async writeFiles(files: readonly FileToWrite[], options: BatchOptions = {}): Promise<FilesWritten> {
    throwIfStopped(options.signal);
    await this.#index.refresh();
    const find = (id: string) => this.#tryFind(id) ?? this.#throwMissing(id);
    const all = planFrames(files, find);
    const undressed = new Set(makeFiles(files));
    const note = (paths: readonly string[]) => paths.forEach((it) => undressed.add(it));
    const total = files.reduce((sum, { content }) => sum + content.size, 0);
    let done = 0;
    const progress = (bytes: number) => options.onProgress?.(done += bytes, total);
    const bases = planBases(files, find);
    const runs = bases.length === 0
      ? all
      : planFrames(files, find, await this.#takeFromBases(bases, options.signal, progress));
    if (files.length < THREADS_WORTH_FILES && total < THREADS_WORTH_BYTES) {
      await this.#writeHere(runs, note, options.signal, progress);
    } else {
      await this.#writeOnThreads(runs, note, options.signal, progress);
    }
    return { undressed };
  }

  async #writeHere(
    runs: readonly FrameRun[],
    note: (undressed: readonly string[]) => void,
    signal: AbortSignal | undefined,
    progress: (bytes: number) => void,
  ): Promise<void> {
    const pacer = new Pacer(signal);
    for (const run of runs) {
      if (pacer.due()) await pacer.rest();
      note(restoreFrames(await this.#jobOf(run), this.#cipher));
      progress(run.bytes);
    }
  }

  async #writeOnThreads(
    runs: readonly FrameRun[],
    note: (undressed: readonly string[]) => void,
    signal: AbortSignal | undefined,
    progress: (bytes: number) => void,
  ): Promise<void> {
    const pool = this.#threads();
    const { material } = this.#cipher;
    // All end before this does: nobody writes to these files afterwards.
    await mapLimited(runs, RUNS_AT_ONCE, async (run) => {
      const job = await this.#jobOf(run);
      const transfer = job.bytes === undefined ? [] : [job.bytes.buffer];
      const answer = await pool.run({ kind: "restore", material, job }, { transfer });
      if (answer.kind !== "restored") throw new Error("a thread of the store gave another answer");
      note(answer.undressed);
      progress(run.bytes);
    }, signal);
  }

  /** @returns the chunks that were written */
  async #takeFromBases(
    jobs: readonly PlannedBaseJob[],
    signal: AbortSignal | undefined,
    progress: (bytes: number) => void,
  ): Promise<ChunksOfFiles> {
    const pool = this.#threads();
    const { material } = this.#cipher;
    const found = new Map(jobs.map(({ file }) => [file, new Set<number>()]));
    await mapLimited(jobs, RUNS_AT_ONCE, async ({ file, job }) => {
      const answer = await pool.run({ kind: "base", material, job });
      if (answer.kind !== "base") throw new Error("a thread of the store gave another answer");
      for (const { index } of answer.written) found.get(file)!.add(index);
      progress(answer.written.reduce((sum, { size }) => sum + size, 0));
    }, signal);
    return found;
  }

  #threads(): ThreadPool {
    if (this.#pool?.isBroken === true) {
      this.#broken.push(this.#pool);
      this.#pool = undefined;
    }
    return this.#pool ??= new ThreadPool();
  }

  /** Ends the threads; nothing may be under way. */
  [Symbol.dispose](): void {
    for (const pool of this.#broken.splice(0)) pool[Symbol.dispose]();
    this.#pool?.[Symbol.dispose]();
    this.#pool = undefined;
  }

  async #jobOf({ pack, offset, length, frames, ofPack }: FrameRun): Promise<RestoreJob> {
    const packPath = this.#backend.localPath(pack);
    const job = { location: this.#backend.location, pack, packPath, offset, length, frames };
    if (packPath !== undefined) return { ...job, bytes: undefined };
    const bytes = await this.#backend.read(pack, { offset, length, inAll: ofPack });
    if (bytes === undefined) throw damagedPack(this.#backend, pack, "it is missing");
    return { ...job, bytes: new Uint8Array(bytes) };
  }

  /** Undefined when the pack is not there: it may have been collected, and its chunks be elsewhere. */
  async #frame(place: ChunkPlace): Promise<Uint8Array | undefined> {
    const pack = packName(place.pack.id);
    const { offset, stored } = place;
    const known = this.#recent.find((frame) => frame.pack === pack && frame.offset === offset);
    if (known !== undefined) return known.raw;
    const sealed = await this.#backend.read(pack, { offset, length: stored });
    if (sealed === undefined) return undefined;
    if (sealed.length < stored) throw damagedPack(this.#backend, pack, "it ends too early");
    const raw = openFrame(this.#backend, pack, place, sealed, this.#cipher);
    this.#recent = [{ pack, offset, raw }, ...this.#recent.slice(0, RECENT_FRAMES - 1)];
    return raw;
  }

  #tryFind(id: ChunkId): ChunkPlace | undefined {
    return /^[0-9a-f]{64}$/.test(id) ? this.#index.find(Uint8Array.fromHex(id)) : undefined;
  }

  async #findAnew(id: ChunkId): Promise<ChunkPlace> {
    await this.#index.refresh();
    return this.#tryFind(id) ?? this.#throwMissing(id);
  }

  #throwMissing(id: ChunkId): never {
    const lost = /^[0-9a-f]{64}$/.test(id) ? this.#index.findLost(Uint8Array.fromHex(id)) : undefined;
    if (lost !== undefined) {
      throw damagedPack(
        this.#backend,
        packName(lost.pack.id),
        "it is missing, or not as long as it was written",
      );
    }
    throw new IntegrityError(
      `The snapshot store ${this.#backend.location} lacks the chunk ${id}: no index names it`,
      {
        hint: "An index file is missing. Run `backout snapshot verify`: it can be made anew from the packs.",
        context: { store: this.#backend.location, chunk: id },
      },
    );
  }

  #wrongSize(content: ContentRef): IntegrityError {
    return new IntegrityError(
      `The snapshot store ${this.#backend.location} has another length for content of ${content.size} bytes`,
      { hint: "Its description was changed: run `backout snapshot verify --read-data`." },
    );
  }
}

/**
 * Files that are empty, or are written in pieces; the others are made when their bytes are there.
 * @returns those that were to have a look and do not have it
 */
function makeFiles(files: readonly FileToWrite[]): readonly string[] {
  return files.filter(({ content, path, look }) => {
    if (content.chunks.length === 1) return false;
    return attempt("create", path, () => {
      using file = createOutput(path, FILE_MODE);
      if (content.size > 0) file.resize(content.size);
      return look !== undefined && (content.size > 0 || !file.dress(look));
    });
  }).map(({ path }) => path);
}
