/**
 * Every call that changes the filesystem goes through this file, synchronously and one system call at a time,
 * so that a test can stop the process, or fail the call, before any one of them (`setFaultHook`).
 */
import * as fs from "node:fs";

/** The name of a changing call, as `strace` would show it. */
export type MutatingCall =
  | "mkdir"
  | "open"
  | "write"
  | "fsync"
  | "rename"
  | "link"
  | "unlink"
  | "rmdir"
  | "copy"
  | "chmod"
  | "chown"
  | "utimes"
  | "symlink"
  | "mknod"
  | "setxattr"
  | "removexattr"
  | "syncfs";

/** Called before each changing call. Throwing stands for the call's failure. */
export type FaultHook = (call: MutatingCall, path: string) => void;

let faultHook: FaultHook | undefined;

/** Installs a hook that runs before every changing call (tests only); undefined removes it. */
export function setFaultHook(hook: FaultHook | undefined): void {
  faultHook = hook;
}

function before(call: MutatingCall, path: string): void {
  faultHook?.(call, path);
}

/** For `posix_native.ts`, which has the calls that Deno lacks. */
export const beforeCall: FaultHook = before;

export function symlink(target: string, path: string): void {
  before("symlink", path);
  fs.symlinkSync(target, path);
}

export function mkdir(path: string, mode?: number): void {
  before("mkdir", path);
  Deno.mkdirSync(path, mode === undefined ? {} : { mode });
}

export function rename(from: string, to: string): void {
  before("rename", from);
  Deno.renameSync(from, to);
}

export function link(from: string, to: string): void {
  before("link", to);
  Deno.linkSync(from, to);
}

export function unlink(path: string): void {
  before("unlink", path);
  fs.unlinkSync(path);
}

export function rmdir(path: string): void {
  before("rmdir", path);
  fs.rmdirSync(path);
}

export function chmod(path: string, mode: number): void {
  before("chmod", path);
  Deno.chmodSync(path, mode);
}

export function chown(path: string, uid: number | null, gid: number | null): void {
  before("chown", path);
  Deno.chownSync(path, uid, gid);
}

export function setTimes(path: string, atime: Date, mtime: Date): void {
  before("utimes", path);
  Deno.utimeSync(path, atime, mtime);
}

/** Copies bytes and mode; `to` must not exist yet (checked by the caller). */
export function copyFile(from: string, to: string): void {
  before("copy", to);
  Deno.copyFileSync(from, to);
}

/** Like `copyFile`, off this thread: for files so large that signals must be seen meanwhile. */
export async function copyFileAside(from: string, to: string): Promise<void> {
  before("copy", to);
  await Deno.copyFile(from, to);
}

/** Makes the names in a folder durable. */
export function syncFolder(path: string): void {
  before("fsync", path);
  const folder = fs.openSync(path, "r");
  try {
    fs.fsyncSync(folder);
  } finally {
    fs.closeSync(folder);
  }
}

/** Makes a file's bytes durable. */
export function syncFile(path: string): void {
  before("fsync", path);
  const file = fs.openSync(path, "r");
  try {
    fs.fsyncSync(file);
  } finally {
    fs.closeSync(file);
  }
}

/** Gives a file to a group if this user may. */
function giveToGroup(path: string, group: number): void {
  if (Deno.lstatSync(path).gid === group) return;
  try {
    chown(path, null, group);
  } catch (error) {
    if (errorCode(error) !== "EPERM") throw error; // not a member: the file stays in this user's group
  }
}

/** Creates a file that must not exist, and keeps it open for reading and writing. */
export function openNewFile(path: string, mode: number): Deno.FsFile {
  before("open", path);
  return Deno.openSync(path, { createNew: true, read: true, write: true, mode });
}

/** Writes at the place where an open file stands; not durable. */
export function writeToOpenFile(file: Deno.FsFile, path: string, bytes: Uint8Array): void {
  before("write", path);
  let offset = 0;
  while (offset < bytes.length) offset += file.writeSync(bytes.subarray(offset));
}

/** Opens a file that is there for writing at places of it (`writeAt`); a symlink is not followed. */
export function openToFill(path: string): Deno.FsFile {
  before("open", path);
  if (lstat(path)?.isFile !== true) {
    throw Object.assign(new Error(`${path} is no longer a file`), { code: "ENOENT" });
  }
  return Deno.openSync(path, { write: true });
}

/** Writes at a place of an open file, in bytes from its begin; not durable. */
export function writeAt(file: Deno.FsFile, path: string, bytes: Uint8Array, at: number): void {
  before("write", path);
  file.seekSync(at, Deno.SeekMode.Start);
  let offset = 0;
  while (offset < bytes.length) offset += file.writeSync(bytes.subarray(offset));
}

/** Makes an open file so long; what is added is a hole. */
export function resize(file: Deno.FsFile, path: string, size: number): void {
  before("write", path);
  file.truncateSync(size);
}

/** Writes into a file that is open and empty, and makes the bytes durable. */
export function writeOpenFile(file: Deno.FsFile, path: string, bytes: Uint8Array): void {
  before("write", path);
  let offset = 0;
  while (offset < bytes.length) offset += file.writeSync(bytes.subarray(offset));
  before("fsync", path);
  file.syncSync();
}

/**
 * Appends to a file that exists, and makes the bytes durable. What stands at `at` and after it (a write that a crash cut
 * short) is overwritten.
 * @param at length of what is valid in it, in bytes
 */
export function appendDurably(path: string, bytes: Uint8Array, at: number): void {
  before("open", path);
  const file = fs.openSync(path, fs.constants.O_WRONLY | (fs.constants.O_NOFOLLOW ?? 0));
  try {
    before("write", path);
    if (fs.fstatSync(file).size > at) fs.ftruncateSync(file, at);
    let offset = 0;
    while (offset < bytes.length) {
      offset += fs.writeSync(file, bytes, offset, bytes.length - offset, at + offset);
    }
    before("fsync", path);
    fs.fdatasyncSync(file);
  } finally {
    fs.closeSync(file);
  }
}

/** Writes to a device or a pipe. */
export function writeToStream(path: string, bytes: Uint8Array): void {
  before("write", path);
  fs.writeFileSync(path, bytes, { flag: "r+" });
}

/** The owner of a file or folder; a null part is left as it is. */
export interface Owner {
  readonly uid: number | null;
  readonly gid: number | null;
}

/**
 * Creates a file that must not exist, writes it whole, and makes its bytes durable (not yet its name).
 * @param mode permission bits, narrowed by the umask unless `exact` is given
 */
export function writeNewFile(
  path: string,
  bytes: Uint8Array,
  mode = 0o666,
  exact?: {
    readonly owner?: Owner | undefined;
    /** Kept where this user may give files to it. */
    readonly group?: number | undefined;
  },
): void {
  before("open", path);
  const file = fs.openSync(path, "wx", mode);
  try {
    before("write", path);
    let offset = 0;
    while (offset < bytes.length) offset += fs.writeSync(file, bytes, offset);
    // Before the fsync, so that owner and mode are as durable as the bytes. chown first: it clears set-id bits.
    if (exact?.owner !== undefined) chown(path, exact.owner.uid, exact.owner.gid);
    else if (exact?.group !== undefined) giveToGroup(path, exact.group);
    if (exact !== undefined && (fs.fstatSync(file).mode & 0o7777) !== mode) chmod(path, mode);
    before("fsync", path);
    fs.fsyncSync(file);
  } finally {
    fs.closeSync(file);
  }
}

/**
 * Makes many files durable, some at a time. Never throws: after the first failure no more are begun.
 * @returns what failed, undefined when all are durable (or the signal was aborted, which the caller looks at)
 */
export async function syncFiles(
  paths: readonly string[],
  signal?: AbortSignal,
  atOnce = 16,
): Promise<{ readonly path: string; readonly error: unknown } | undefined> {
  let next = 0;
  let failure: { readonly path: string; readonly error: unknown } | undefined;
  const worker = async () => {
    while (failure === undefined && next < paths.length && signal?.aborted !== true) {
      const path = paths[next++]!;
      try {
        before("fsync", path);
        using file = await Deno.open(path, { read: true });
        await file.sync();
      } catch (error) {
        failure ??= { path, error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, paths.length) }, worker));
  return failure;
}

/** `seconds.milliseconds` since 1970; the start of it where the system knows no time. */
export function timeText(time: Date | null): string {
  const ms = time?.getTime() ?? 0;
  const seconds = Math.floor(ms / 1000);
  return `${seconds}.${String(ms - seconds * 1000).padStart(3, "0")}`;
}

/** What a path is, without following a symlink; undefined when nothing is there. */
export function lstat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || errorCode(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

/** The names in a folder; undefined when there is no such folder. */
export function readFolder(path: string): Deno.DirEntry[] | undefined {
  try {
    return [...Deno.readDirSync(path)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || errorCode(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

/** The POSIX name of an error (`ENOSPC`, `EACCES`, …), whichever of Deno's or Node's APIs threw it. */
export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}
