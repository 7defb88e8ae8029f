/** One look at a path: what kind of thing it is, with everything but its content and attributes. */
import { type FileStat, native } from "#/core/native.ts";
import * as posix from "#/core/posix.ts";
import { type EntryType, type TreeEntry, UNKNOWN_TIME } from "./entry.ts";

/** What a look tells; `dev` and `nlink` are not kept in a tree. */
export interface Seen extends TreeEntry {
  readonly dev: string;
  readonly nlink: number;
}

const TYPES: Readonly<Record<number, EntryType>> = {
  0o100000: "file",
  0o040000: "folder",
  0o120000: "symlink",
  0o010000: "fifo",
  0o140000: "socket",
  0o060000: "block",
  0o020000: "char",
};
const TYPE_BITS = 0o170000;

/** The type's bits of a mode. */
export function bitsOf(type: EntryType): number {
  return Number(Object.entries(TYPES).find(([, it]) => it === type)![0]);
}

/**
 * Undefined when nothing is there (or it went meanwhile). Never follows a symlink.
 * @throws the system's error
 */
export function lookAt(path: string): Seen | undefined {
  const stat = native()?.stat(path) ?? (native() === undefined ? plainStat(path) : undefined);
  if (stat === undefined) return undefined;
  const type = TYPES[stat.mode & TYPE_BITS]!;
  const seen = {
    path,
    type,
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    mtime: stat.mtime,
    ctime: stat.ctime,
    ino: stat.ino,
    dev: stat.dev,
    nlink: stat.nlink,
  };
  switch (type) {
    case "file":
      return stat.sparse ? { ...seen, size: stat.size, sparse: true } : { ...seen, size: stat.size };
    case "symlink": {
      const target = readLink(path);
      return target === undefined ? undefined : { ...seen, target };
    }
    case "block":
    case "char":
      return { ...seen, rdev: stat.rdev };
    default:
      return seen;
  }
}

function readLink(path: string): string | undefined {
  try {
    return Deno.readLinkSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || posix.errorCode(error) === "EINVAL") return undefined;
    throw error;
  }
}

/** With what Deno has: times to the millisecond, no attributes. */
function plainStat(path: string): FileStat | undefined {
  const info = posix.lstat(path);
  if (info === undefined) return undefined;
  return {
    mode: info.mode ?? plainMode(info),
    uid: info.uid ?? 0,
    gid: info.gid ?? 0,
    size: info.size,
    nlink: info.nlink ?? 1,
    ino: info.ino ?? 0,
    dev: String(info.dev),
    mtime: info.isSymlink ? UNKNOWN_TIME : posix.timeText(info.mtime),
    ctime: posix.timeText(info.ctime ?? info.mtime),
    sparse: info.blocks !== null && info.blocks * 512 < info.size,
    rdev: [0, 0],
  };
}

function plainMode(info: Deno.FileInfo): number {
  return info.isDirectory ? 0o040755 : info.isSymlink ? 0o120777 : 0o100644;
}
