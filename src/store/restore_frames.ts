/** Takes frames apart and writes their chunks into files. Synchronous: the caller is a worker, or rests in between. */
import { StorageError } from "#/core/errors.ts";
import { sha256 } from "#/core/sha256.ts";
import { errorCode } from "#/core/posix.ts";
import { createOutput, type FileLook, openOutput, type OutputFile } from "#/core/posix_files.ts";
import { attempt } from "#/core/system_error.ts";
import type { ChunkCipher } from "./cipher.ts";
import { decompress } from "./codec.ts";
import { FRAME_CONTEXT, hexOf } from "./layout.ts";
import { ageNursery } from "./nursery.ts";
import { damagedPack } from "./pack_format.ts";
import { writePieces } from "./pieces.ts";
import { openSource } from "./source_file.ts";

/** Where a chunk goes. */
export interface ChunkTarget {
  readonly path: string;
  /** In the file, in bytes. */
  readonly at: number;
  /** The chunk is all of the file, which is made now; otherwise the file is there. */
  readonly whole: boolean;
  readonly sparse: boolean;
  /** What a file that is made now gets, as far as this user may. */
  readonly look: FileLook | undefined;
}

export interface ChunkToRestore {
  /** Where it is in the frame. */
  readonly start: number;
  readonly size: number;
  /** In hex. */
  readonly id: string;
  readonly targets: readonly ChunkTarget[];
}

export interface FrameToRestore {
  readonly offset: number;
  readonly stored: number;
  readonly raw: number;
  readonly codec: number;
  readonly chunks: readonly ChunkToRestore[];
}

/** Frames of one pack that lie near each other, in their order. */
export interface RestoreJob {
  /** As shown to people. */
  readonly location: string;
  readonly pack: string;
  /** The pack's file where it is on this machine. */
  readonly packPath: string | undefined;
  /** Otherwise the bytes of the frames, from `offset` of the pack. */
  readonly bytes: Uint8Array<ArrayBuffer> | undefined;
  readonly offset: number;
  readonly length: number;
  readonly frames: readonly FrameToRestore[];
}

const FILE_MODE = 0o600;
/** One thread's buffer for what it reads of packs. */
let packBuffer = new Uint8Array(0);

/**
 * @returns the files that were to have a look and may not have it
 * @throws {IntegrityError} the pack is missing or damaged
 */
export function restoreFrames(job: RestoreJob, cipher: ChunkCipher): readonly string[] {
  const undressed: string[] = [];
  const bytes = job.bytes ?? readPack(job);
  if (bytes.length < job.length) throw damagedPack(job, job.pack, "it ends too early");
  using filling = new FileToFill();
  for (const frame of job.frames) {
    const from = frame.offset - job.offset;
    const raw = openFrame(job, job.pack, frame, bytes.subarray(from, from + frame.stored), cipher);
    for (const chunk of frame.chunks) {
      const content = raw.subarray(chunk.start, chunk.start + chunk.size);
      assertChunk(job, job.pack, content, chunk.id, cipher);
      for (const target of chunk.targets) {
        if (!writeChunk(target, content, filling)) undressed.push(target.path);
      }
    }
  }
  return undressed;
}

/** The file that is written in pieces: the next chunk mostly goes into the same one. */
class FileToFill implements Disposable {
  #open: { readonly path: string; readonly file: OutputFile } | undefined;

  get(path: string): OutputFile {
    if (this.#open?.path === path) return this.#open.file;
    this[Symbol.dispose]();
    const file = openOutput(path);
    this.#open = { path, file };
    return file;
  }

  [Symbol.dispose](): void {
    this.#open?.file[Symbol.dispose]();
    this.#open = undefined;
  }
}

/**
 * A frame's chunks, one after the other.
 * @throws {IntegrityError}
 */
export function openFrame(
  store: { readonly location: string },
  pack: string,
  frame: { readonly codec: number; readonly raw: number; readonly offset: number },
  sealed: Uint8Array,
  cipher: ChunkCipher,
): Uint8Array {
  try {
    ageNursery();
    return decompress(frame.codec, cipher.open(sealed, FRAME_CONTEXT), frame.raw);
  } catch (cause) {
    if (cause instanceof StorageError) throw cause; // nothing is wrong with the pack
    throw damagedPack(store, pack, `the frame at ${frame.offset} does not open`, cause);
  }
}

/** @throws {IntegrityError} the bytes are not those of this id */
export function assertChunk(
  store: { readonly location: string },
  pack: string,
  bytes: Uint8Array,
  id: string,
  cipher: ChunkCipher,
): void {
  const actual = hexOf(cipher.id(sha256(bytes)));
  if (actual !== id) throw damagedPack(store, pack, `chunk ${id} has other bytes (${actual})`);
}

function readPack(job: RestoreJob): Uint8Array {
  const path = job.packPath!;
  try {
    using file = openSource(path);
    if (packBuffer.length < job.length) packBuffer = new Uint8Array(job.length);
    return packBuffer.subarray(0, file.readAt(packBuffer.subarray(0, job.length), job.offset));
  } catch (cause) {
    if (errorCode(cause) === "ENOENT") throw damagedPack(job, job.pack, "it is missing", cause);
    return attempt("read", path, () => {
      throw cause;
    });
  }
}

/** @returns false: it was to have a look, and may not have it */
function writeChunk(target: ChunkTarget, bytes: Uint8Array, filling: FileToFill): boolean {
  const { path, whole, look } = target;
  return attempt("write", path, () => {
    if (!whole) {
      writePieces(filling.get(path), bytes, target);
      return true;
    }
    using file = createOutput(path, FILE_MODE);
    if (target.sparse) file.resize(bytes.length);
    writePieces(file, bytes, target);
    return look === undefined || file.dress(look);
  });
}
