/** Reading files that others may be writing to: never through a symlink, never waiting for a FIFO. */
import * as fs from "node:fs";
import { native } from "#/core/native.ts";
import type { FileStamp } from "#/core/native_files.ts";
import { errorCode, lstat, timeText } from "#/core/posix.ts";

export type { FileStamp };

export type Opened =
  | { readonly kind: "file"; readonly stamp: FileStamp }
  | { readonly kind: "vanished" }
  | { readonly kind: "unreadable"; readonly reason: string };

export const NOT_A_FILE = { kind: "unreadable", reason: "it is no longer a regular file" } as const;

const FLAGS = fs.constants.O_RDONLY | (fs.constants.O_NOFOLLOW ?? 0) | (fs.constants.O_NONBLOCK ?? 0);

/** What a path is now. */
export function lookAtSource(path: string): Opened {
  try {
    const files = native()?.files;
    const stamp = files === undefined ? plainStamp(path) : files.stamp(path);
    if (stamp === undefined) return { kind: "vanished" };
    if (stamp === "other") return NOT_A_FILE;
    return { kind: "file", stamp };
  } catch (error) {
    return unreadable(error);
  }
}

function plainStamp(path: string): FileStamp | "other" | undefined {
  const info = lstat(path);
  return info === undefined ? undefined : stampFrom(info);
}

function stampFrom(
  info: Pick<Deno.FileInfo, "isFile" | "size" | "mtime" | "ctime" | "ino">,
): FileStamp | "other" {
  if (!info.isFile) return "other";
  return {
    size: info.size,
    mtime: timeText(info.mtime),
    ctime: timeText(info.ctime ?? info.mtime),
    ino: info.ino ?? 0,
  };
}

export function sameStamp(a: FileStamp, b: FileStamp): boolean {
  return a.size === b.size && a.mtime === b.mtime && a.ctime === b.ctime && a.ino === b.ino;
}

/** A file that is open for reading; close it. */
export interface SourceFile extends Disposable {
  /** What it is now; `"other"` for anything but a regular file. */
  stamp(): FileStamp | "other";
  /**
   * Fills the buffer, or as much of it as there is until the file ends; returns the bytes read.
   * @param enough so many may do: saves the look for more where the file should end
   */
  readAt(into: Uint8Array, at: number, enough?: number): number;
}

/** @throws what the system says */
export function openSource(path: string): SourceFile {
  const files = native()?.files;
  const fd = files === undefined ? fs.openSync(path, FLAGS) : files.open(path);
  return {
    stamp: () => {
      if (files !== undefined) return files.stampOf(fd, path);
      const info = fs.fstatSync(fd);
      return stampFrom({ ...info, isFile: info.isFile() });
    },
    readAt: (into, at, enough = into.length) => {
      let done = 0;
      while (done < enough) {
        const rest = done === 0 ? into : into.subarray(done);
        const got = files === undefined
          ? fs.readSync(fd, rest, 0, rest.length, at + done)
          : files.readAt(fd, rest, at + done, path);
        if (got === 0) return done;
        done += got;
      }
      return done;
    },
    [Symbol.dispose]: () => files === undefined ? fs.closeSync(fd) : files.close(fd),
  };
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
    case "ENXIO": // a socket
      return NOT_A_FILE;
    case "EIO":
      return { kind: "unreadable", reason: "the disk reports an error" };
    default:
      return { kind: "unreadable", reason: error instanceof Error ? error.message : String(error) };
  }
}
