/** Looking and reading: nothing here changes anything, follows a symlink or blocks on a FIFO. */
import { sha256Hex } from "#/core/sha256.ts";
import * as fs from "node:fs";
import { digestFiles, lstatRegular } from "#/core/digest.ts";
import { openRegular } from "#/core/digest_shared.ts";
import { StorageError } from "#/core/errors.ts";
import { Pacer } from "#/core/pace.ts";
import * as posix from "#/core/posix.ts";
import { currentUser, mayUse } from "#/core/permission.ts";
import { attempt, lookAt, SystemError } from "#/core/system_error.ts";
import { type FilesystemTree, nearestFolderPath, type PathGuard, permissionBits } from "./tree.ts";
import { isOwnFolder, joinKey } from "#/storage/key.ts";
import type {
  BatchOptions,
  DigestedObject,
  ObjectKey,
  ObjectStat,
  StoredBytes,
} from "#/storage/object_store.ts";

const READ_CHUNK = 1 << 20;

/** A file is larger than its reader is willing to hold in memory. */
export class TooLargeError extends StorageError {
  override readonly kind = "too_large";
}

export function toStat(key: string, info: Deno.FileInfo): ObjectStat {
  return {
    key,
    kind: info.isFile ? "file" : info.isDirectory ? "folder" : info.isSymlink ? "symlink" : "other",
    size: info.size,
    mode: permissionBits(info),
    uid: info.uid,
    gid: info.gid,
    mtime: info.mtime?.toISOString() ?? null,
    tag: tagOf(info),
  };
}

/** Inode, size, mtime and ctime, in that order; `sameContent` takes it apart again. */
export function tagOf(info: Deno.FileInfo): string {
  return `${info.ino ?? 0}-${info.size}-${info.mtime?.getTime() ?? 0}-${info.ctime?.getTime() ?? 0}`;
}

/** A directory has every file as it is now only. @throws {StorageError} for an older version */
export function currentKey(key: ObjectKey): string {
  if (typeof key === "string") return key;
  throw new StorageError(`Cannot read an older version of ${key.key}: a directory keeps none`, {
    context: { key: key.key, version_id: key.versionId },
  });
}

export function statKey(guard: PathGuard, key: string): ObjectStat | undefined {
  const path = guard.find(key);
  const info = path === undefined ? undefined : lookAt(path);
  return info === undefined ? undefined : toStat(key, info);
}

/** Reads a regular file whole; undefined when there is none. @throws {TooLargeError} {@link NotAFileError} */
export function readWhole(path: string, maxBytes: number): Uint8Array | undefined {
  if (lookAt(path) === undefined) return undefined;
  try {
    return readRegular(path, maxBytes);
  } catch (error) {
    if (error instanceof SystemError && error.errno === "ENOENT") return undefined; // gone since the look
    throw error;
  }
}

function readRegular(path: string, maxBytes: number): Uint8Array {
  const info = lstatRegular(path);
  refuseLarge(path, info.size, maxBytes);
  return attempt("read", path, () => {
    const file = openRegular(path);
    try {
      return readOpen(file, path, fs.fstatSync(file).size, maxBytes);
    } finally {
      fs.closeSync(file);
    }
  });
}

/** One byte more than the size is asked for, so that a file that grows meanwhile is read to its end. */
function readOpen(file: number, path: string, size: number, maxBytes: number): Uint8Array {
  let bytes = new Uint8Array(size + 1);
  let length = 0;
  for (;;) {
    if (length === bytes.length) {
      refuseLarge(path, length, maxBytes);
      const larger = new Uint8Array(length * 2 + READ_CHUNK);
      larger.set(bytes);
      bytes = larger;
    }
    const read = fs.readSync(file, bytes, length, bytes.length - length, null);
    if (read === 0) return bytes.subarray(0, length);
    length += read;
  }
}

function refuseLarge(path: string, size: number, maxBytes: number): void {
  if (size <= maxBytes) return;
  throw new TooLargeError(`Cannot read ${path}: it has ${size} bytes, the limit is ${maxBytes}`, {
    context: { path, size, limit: maxBytes },
  });
}

export function readKey(guard: PathGuard, key: string, maxBytes: number): StoredBytes | undefined {
  const bytes = readWhole(guard.resolve(key), maxBytes);
  return bytes === undefined ? undefined : { bytes, tag: sha256Hex(bytes) };
}

/** Everything that is no folder below `prefix`; for "" without backout's own folders. */
export async function listBelow(tree: FilesystemTree, prefix: string): Promise<ObjectStat[]> {
  const pacer = new Pacer();
  const result: ObjectStat[] = [];
  const open = [prefix];
  tree.guard().resolveFolder(prefix);
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    const path = tree.path(folder);
    for (const entry of attempt("list", path, () => posix.readFolder(path)) ?? []) {
      if (pacer.due()) await pacer.rest();
      if (folder === "" && isOwnFolder(entry.name)) continue;
      const key = joinKey(folder, entry.name);
      if (entry.isDirectory) {
        open.push(key);
        continue;
      }
      const info = lookAt(`${path}/${entry.name}`);
      if (info !== undefined) result.push(toStat(key, info));
    }
  }
  return result.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

export function namesBelow(tree: FilesystemTree, prefix: string): string[] {
  const path = tree.guard().resolveFolder(prefix);
  const entries = attempt("list", path, () => posix.readFolder(path)) ?? [];
  const names = entries.map((entry) => entry.name);
  return (prefix === "" ? names.filter((name) => !isOwnFolder(name)) : names).sort();
}

export async function digestKeys(
  tree: FilesystemTree,
  keys: readonly string[],
  options: BatchOptions,
): Promise<DigestedObject[]> {
  const guard = tree.guard();
  const digests = await digestFiles(keys.map((key) => guard.resolve(key)), options);
  return digests.map((file, i) => ({
    key: keys[i]!,
    size: file.size,
    sha256: file.sha256,
    stat: toStat(keys[i]!, file.stat),
  }));
}

/** Bytes that this user can still write where backout's state is; null where the system does not say. */
export function freeBytesAt(path: string): number | null {
  try {
    const { bavail, bsize } = fs.statfsSync(nearestFolderPath(path));
    return bavail * bsize;
  } catch {
    return null;
  }
}

/** Why a file in that folder could not be replaced or removed by this user. */
export function folderWriteProblem(path: string): string | undefined {
  const slash = path.lastIndexOf("/");
  const wanted = slash <= 0 ? "/" : path.slice(0, slash);
  const folder = nearestFolderPath(wanted);
  if (!mayUse(Deno.statSync(folder), 0o3)) return `no permission to write in ${folder}`;
  return folder === wanted ? stickyProblem(folder, path) : undefined;
}

/** Opening for writing changes nothing, and is the one thing that tells of a read-only mount. */
export function isReadOnly(path: string): boolean {
  if (lookAt(path)?.isFile !== true) return false;
  try {
    fs.closeSync(fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK));
    return false;
  } catch (error) {
    return posix.errorCode(error) === "EROFS"; // a file may be moved without being writable itself
  }
}

/** In a folder like /tmp only the owner of a file may move it. */
function stickyProblem(folder: string, path: string): string | undefined {
  const info = lookAt(folder);
  const file = lookAt(path);
  if (info === undefined || file === undefined || (permissionBits(info) & 0o1000) === 0) return undefined;
  const me = currentUser();
  if (me === undefined || me === 0 || me === info.uid || me === file.uid) return undefined;
  return `no permission to move ${path}: it belongs to another user, and ${folder} is sticky`;
}
