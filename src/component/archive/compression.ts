/** How an archive is compressed: by its name when it is written, by its first bytes when it is read. */
import { extname } from "node:path";
import type { Transform } from "node:stream";
import * as zlib from "node:zlib";
import { UsageError } from "#/core/errors.ts";
import { hasZstd } from "#/store/codec.ts";

export type Compression = "none" | "gzip" | "zstd";

const MAGIC: readonly (readonly [Compression, readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
];

/** By the name of the file. @throws {UsageError} another name, or zstd where there is none */
export function compressionFor(path: string): Compression {
  switch (extname(path)) {
    case ".tar":
      return "none";
    case ".gz":
    case ".tgz":
      return "gzip";
    case ".zst":
      return assertZstd(path);
    default:
      throw new UsageError(`Cannot tell from ${path} how to compress it`, {
        hint: "Let the name end with .tar.zst, .tar.gz or .tar.",
      });
  }
}

/** By what a file begins with. @throws {UsageError} it is zstd, and there is none here */
export function compressionOf(begin: Uint8Array, path: string): Compression {
  const found = MAGIC.find(([, magic]) => magic.every((byte, i) => begin[i] === byte))?.[0] ?? "none";
  return found === "zstd" ? assertZstd(path) : found;
}

function assertZstd(path: string): Compression {
  if (hasZstd) return "zstd";
  throw new UsageError(`Cannot use ${path}: this executable has no zstd`, {
    hint: "Use .tar.gz, or a backout that is built on Deno 2.6.10 or newer.",
  });
}

/** Undefined where nothing is to be done. */
export function compressor(compression: Compression): Transform | undefined {
  if (compression === "gzip") return zlib.createGzip();
  return compression === "zstd" ? zlib.createZstdCompress() : undefined;
}

export function decompressor(compression: Compression): Transform | undefined {
  if (compression === "gzip") return zlib.createGunzip();
  return compression === "zstd" ? zlib.createZstdDecompress() : undefined;
}
