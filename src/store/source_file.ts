/** Reading files that others may be writing to: never through a symlink, never waiting for a FIFO. */
import * as fs from "node:fs";
import { errorCode, lstat } from "#/core/posix.ts";

/** What tells that a file is another, or was written to. */
export interface FileStamp {
  readonly size: number;
  readonly mtime: number;
  readonly ctime: number;
  readonly ino: number;
}

export type Opened =
  | { readonly kind: "file"; readonly stamp: FileStamp }
  | { readonly kind: "vanished" }
  | { readonly kind: "unreadable"; readonly reason: string };

const FLAGS = fs.constants.O_RDONLY | (fs.constants.O_NOFOLLOW ?? 0) | (fs.constants.O_NONBLOCK ?? 0);

/** What a path is now. */
export function lookAtSource(path: string): Opened {
  try {
    const info = lstat(path);
    if (info === undefined) return { kind: "vanished" };
    if (!info.isFile) return { kind: "unreadable", reason: "it is no longer a regular file" };
    const stamp = {
      size: info.size,
      mtime: info.mtime?.getTime() ?? 0,
      ctime: info.ctime?.getTime() ?? 0,
      ino: info.ino ?? 0,
    };
    return { kind: "file", stamp };
  } catch (error) {
    return unreadable(error);
  }
}

export function sameStamp(a: FileStamp, b: FileStamp): boolean {
  return a.size === b.size && a.mtime === b.mtime && a.ctime === b.ctime && a.ino === b.ino;
}

/** The caller closes it with `fs.closeSync`. @throws what the system says */
export function openSource(path: string): number {
  return fs.openSync(path, FLAGS);
}

/** Reads until the buffer is full or the file ends. @param at undefined: where the file stands */
export function readInto(file: number, buffer: Uint8Array, at: number | null): number {
  let done = 0;
  while (done < buffer.length) {
    const got = fs.readSync(file, buffer, done, buffer.length - done, at === null ? null : at + done);
    if (got === 0) break;
    done += got;
  }
  return done;
}

/** What became of a file that could not be read. */
export function unreadable(error: unknown): Exclude<Opened, { kind: "file" }> {
  const code = errorCode(error);
  if (code === "ENOENT" || code === "ENOTDIR") return { kind: "vanished" };
  switch (code) {
    case "EACCES":
    case "EPERM":
      return { kind: "unreadable", reason: "permission denied" };
    case "ELOOP":
      return { kind: "unreadable", reason: "it is no longer a regular file" };
    case "EIO":
      return { kind: "unreadable", reason: "the disk reports an error" };
    default:
      return { kind: "unreadable", reason: error instanceof Error ? error.message : String(error) };
  }
}
