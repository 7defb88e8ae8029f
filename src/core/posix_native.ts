/**
 * Changing calls that Deno lacks, each stopped by the fault hook of `posix.ts` like the others. Without foreign functions
 * what Deno has stands in where it can; the caller names what is left out.
 */
import type { NativeChanges } from "#/core/native.ts";
import { native } from "#/core/native.ts";
import * as posix from "#/core/posix.ts";

/** Without foreign functions there are none. */
export function setAttribute(path: string, name: string, value: Uint8Array): void {
  posix.beforeCall("setxattr", path);
  changes().setAttribute(path, name, value);
}

export function removeAttribute(path: string, name: string): void {
  posix.beforeCall("removexattr", path);
  changes().removeAttribute(path, name);
}

/**
 * Of the file, folder or symlink itself. Without foreign functions to the millisecond, and of a symlink not at all.
 * @param mtime `seconds.nanoseconds`; the access time becomes the same
 */
export function setTime(path: string, mtime: string): void {
  const given = native();
  if (given === undefined) {
    if (posix.lstat(path)?.isSymlink === true) return;
    const time = new Date(Math.floor(Number(mtime) * 1000));
    return posix.setTimes(path, time, time);
  }
  posix.beforeCall("utimes", path);
  given.change.setTime(path, mtime);
}

/** Of the file, folder or symlink itself. Clears set-id bits: mode after owner. */
export function changeOwner(path: string, uid: number, gid: number): void {
  const given = native();
  if (given === undefined) {
    if (posix.lstat(path)?.isSymlink === true) return;
    return posix.chown(path, uid, gid);
  }
  posix.beforeCall("chown", path);
  given.change.chown(path, uid, gid);
}

/** Never through a symlink (without foreign functions: unless it came in between). */
export function changeMode(path: string, mode: number): void {
  const given = native();
  if (given === undefined) {
    if (posix.lstat(path)?.isSymlink === true) return;
    return posix.chmod(path, mode);
  }
  posix.beforeCall("chmod", path);
  given.change.chmod(path, mode);
}

/** Makes a FIFO, socket or device. @param mode with the type's bits */
export function mknod(path: string, mode: number, rdev: readonly [number, number]): void {
  posix.beforeCall("mknod", path);
  changes().mknod(path, mode, rdev);
}

/** Makes everything on the filesystem of a folder durable. False: without foreign functions nothing was done. */
export function syncFilesystem(folder: string): boolean {
  const given = native();
  if (given === undefined) return false;
  posix.beforeCall("syncfs", folder);
  given.change.syncFilesystem(folder);
  return true;
}

/** The same, off this thread: others may be at work meanwhile. */
export async function syncFilesystemAside(folder: string): Promise<boolean> {
  const given = native();
  if (given === undefined) return false;
  posix.beforeCall("syncfs", folder);
  await given.change.syncFilesystemAside(folder);
  return true;
}

function changes(): NativeChanges {
  const given = native();
  if (given === undefined) throw Object.assign(new Error("no foreign functions here"), { code: "ENOSYS" });
  return given.change;
}
