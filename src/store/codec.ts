/**
 * How frames and indexes are compressed. zstd where the runtime has it, deflate elsewhere; what was written is said next
 * to it, so that either can be read.
 */
import * as zlib from "node:zlib";
import { StorageError } from "#/core/errors.ts";

/** As it is stored, in one byte. */
export const Codec = { raw: 0, zstd: 1, deflate: 2 } as const;
export type Codec = typeof Codec[keyof typeof Codec];

export interface Compressed {
  readonly codec: Codec;
  readonly bytes: Uint8Array;
}

/** `ZSTD_c_compressionLevel` of zstd.h; the constant's name is missing from some runtimes. */
const ZSTD_LEVEL = 100;
/** The fastest of zlib: what is lost in size is less than what any higher level takes in time. */
const DEFLATE_LEVEL = 1;
/** What is tried of bytes to see whether they shrink. */
const PROBE_BYTES = 16 * 1024;
/** From so many places: content often is of several kinds. */
const PROBE_PIECES = 4;
const probe = new Uint8Array(PROBE_BYTES);
/** A frame that does not become smaller than this share of itself is stored as it is: reading it is faster then. */
const WORTH = 0.97;

/** Whether this runtime has zstd. */
export const hasZstd: boolean = worksWithZstd();

/** Compresses bytes, or leaves them as they are where that does not help. */
export function compress(bytes: Uint8Array, level: number): Compressed {
  if (!shrinks(bytes, level)) return { codec: Codec.raw, bytes };
  const codec = hasZstd ? Codec.zstd : Codec.deflate;
  const packed = pack(bytes, level);
  return packed.length < bytes.length * WORTH ? { codec, bytes: packed } : { codec: Codec.raw, bytes };
}

/** Whether some pieces of it become smaller together. */
function shrinks(bytes: Uint8Array, level: number): boolean {
  if (bytes.length <= PROBE_BYTES) return true;
  const length = PROBE_BYTES / PROBE_PIECES;
  const between = (bytes.length - length) / (PROBE_PIECES - 1);
  for (let piece = 0; piece < PROBE_PIECES; piece++) {
    const from = Math.floor(piece * between);
    probe.set(bytes.subarray(from, from + length), piece * length);
  }
  return pack(probe, level).length < PROBE_BYTES * WORTH;
}

/**
 * @param size how long the result must be, in bytes
 * @throws {StorageError} this runtime has no zstd
 * @throws {Error} the bytes are damaged
 */
export function decompress(codec: number, bytes: Uint8Array, size: number): Uint8Array {
  const result = unpack(codec, bytes, size);
  if (result.length === size) return result;
  throw new Error(`it has ${result.length} bytes where ${size} were stored`);
}

function unpack(codec: number, bytes: Uint8Array, size: number): Uint8Array {
  // One byte more than it may have: a bomb does not go off.
  const limit = { maxOutputLength: size + 1, chunkSize: outputBytes(size + 1) };
  switch (codec) {
    case Codec.raw:
      return bytes;
    case Codec.zstd:
      if (!hasZstd) throw noZstd();
      return plain(zlib.zstdDecompressSync(bytes, limit));
    case Codec.deflate:
      return plain(zlib.inflateRawSync(bytes, limit));
    default:
      throw new Error(`it has the unknown codec ${codec}`);
  }
}

function pack(bytes: Uint8Array, level: number): Uint8Array {
  const chunkSize = outputBytes(bytes.length >>> 1);
  return hasZstd
    ? zlib.zstdCompressSync(bytes, { chunkSize, params: { [ZSTD_LEVEL]: level } })
    : zlib.deflateRawSync(bytes, { chunkSize, level: DEFLATE_LEVEL });
}

/** One buffer for the result, mostly, instead of many small ones that are copied together. */
function outputBytes(expected: number): number {
  return Math.min(Math.max(expected, 16 * 1024), 1024 * 1024);
}

/** Not a `Buffer`, whose `slice` copies nothing. */
function plain({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Some runtimes have the functions, and nothing behind them. */
function worksWithZstd(): boolean {
  try {
    return zlib.zstdDecompressSync(zlib.zstdCompressSync(new Uint8Array(1))).length === 1;
  } catch {
    return false;
  }
}

function noZstd(): StorageError {
  return new StorageError(
    "Cannot read the snapshot store: it is compressed with zstd, which this executable lacks",
    {
      hint: "Use a backout that is built on Deno 2.6.10 or newer, for example from source.",
    },
  );
}
