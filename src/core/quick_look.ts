/** Looks at small files by the thousand: through the C library where it may be called, else through Deno. */
import { native } from "#/core/native.ts";
import type { FileKind } from "#/core/native_files.ts";
import * as posix from "#/core/posix.ts";

/** What is there, without following a symlink; undefined when nothing is. */
export function kindOf(path: string): FileKind | undefined {
  const files = native()?.files;
  if (files !== undefined) return files.kind(path);
  const info = posix.lstat(path);
  if (info === undefined) return undefined;
  return info.isFile ? "file" : info.isDirectory ? "folder" : info.isSymlink ? "symlink" : "other";
}

const MISSING: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "EISDIR"]);
/** Longer ones are read by Deno. Reused: nothing here waits. */
const buffer = new Uint8Array(8192);
const decoder = new TextDecoder();

/** The text of a small file; undefined when nothing is there, or a folder is. */
export function readTextIfThere(path: string): string | undefined {
  const files = native()?.files;
  if (files === undefined) return readSlowly(path);
  const kind = files.kind(path);
  if (kind === undefined || kind === "folder") return undefined;
  const start = kind === "file" ? readStart(path) : undefined;
  return start === undefined || start.length === buffer.length ? readSlowly(path) : decoder.decode(start);
}

/** At most the first 8 KiB of a file; undefined when nothing is there, or something else. */
export function readStartIfThere(path: string): Uint8Array | undefined {
  const start = readStart(path);
  if (start !== undefined || native() !== undefined || kindOf(path) !== "file") return start?.slice();
  using file = Deno.openSync(path);
  return buffer.slice(0, file.readSync(buffer) ?? 0);
}

/** In the buffer; undefined where it must be looked at in another way. */
function readStart(path: string): Uint8Array | undefined {
  const files = native()?.files;
  if (files === undefined) return undefined;
  let fd: number;
  try {
    fd = files.open(path);
  } catch {
    return undefined;
  }
  try {
    return buffer.subarray(0, files.readAt(fd, buffer, 0, path));
  } catch {
    return undefined; // a folder, for one
  } finally {
    files.close(fd);
  }
}

function readSlowly(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (MISSING.has(posix.errorCode(error) ?? "")) return undefined;
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.IsADirectory) return undefined;
    if (error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}
