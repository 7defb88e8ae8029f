/** Single changes of a restore. Each leaves a path as it was or as it becomes, never in between. */
import { native } from "#/core/native.ts";
import * as posix from "#/core/posix.ts";
import { mkdir, rename } from "#/core/posix_files.ts";
import * as changes from "#/core/posix_native.ts";
import { writeAttributes } from "./attributes.ts";
import { sameTime } from "./compare.ts";
import { type TreeEntry, UNKNOWN_TIME } from "./entry.ts";
import type { Guard } from "./guard.ts";
import { bitsOf, lookAt } from "./look.ts";
import { parentOf } from "./path.ts";

export interface Placing {
  readonly guard: Guard;
  readonly warn: (message: string) => void;
  /** Told of a folder whose time moved because something in it changed. */
  readonly touched: (folder: string) => void;
  /** A temporary name beside a path. */
  readonly temporaryFor: (path: string) => string;
}

/** Makes the folder, or what is there (not a folder) into one; its mode and time come at the end. */
export function placeFolder(entry: TreeEntry, placing: Placing): void {
  const { path } = entry;
  placing.guard.check(path);
  if (!makeFolder(path)) {
    if (lookAt(path)?.type === "folder") return;
    posix.unlink(path);
    mkdir(path, 0o700);
  }
  placing.touched(parentOf(path));
}

/** @returns false: something is there */
function makeFolder(path: string): boolean {
  try {
    mkdir(path, 0o700);
    return true;
  } catch (error) {
    if (posix.errorCode(error) !== "EEXIST") throw error;
    return false;
  }
}

/** Gives a prepared file its owner, attributes, mode and time, in the order in which none undoes another. */
export function dress(path: string, entry: TreeEntry, placing: Placing): void {
  const now = lookAt(path);
  if (now === undefined || now.type !== entry.type) throw changedMeanwhile(path);
  if (entry.mtime === UNKNOWN_TIME) return; // a symlink, of which no more is known than where it leads
  const owned = now.uid === entry.uid && now.gid === entry.gid || giveOwner(path, entry, placing.warn);
  const moved = (entry.type !== "symlink" || entry.attributes !== undefined) &&
    writeAttributes(path, entry.attributes, placing.warn);
  // A set-id bit for another user than it was for would give away rights.
  const mode = owned ? entry.mode : entry.mode & 0o1777;
  // A new owner clears set-id bits, and an access control list may have moved the others.
  const same = now.mode === mode && now.uid === entry.uid && now.gid === entry.gid &&
    entry.attributes === undefined && !moved;
  if (entry.type !== "symlink" && !same) changes.changeMode(path, mode);
  if (!sameTime(now.mtime, entry.mtime) || entry.type === "folder") changes.setTime(path, entry.mtime);
}

function giveOwner(path: string, entry: TreeEntry, warn: (message: string) => void): boolean {
  try {
    changes.changeOwner(path, entry.uid, entry.gid);
    return true;
  } catch (error) {
    if (posix.errorCode(error) !== "EPERM") throw error;
    warn(`Cannot give ${JSON.stringify(entry.path)} to user ${entry.uid}, group ${entry.gid}: only root may`);
    return false;
  }
}

/** A symlink, FIFO or device, made aside and renamed into place. */
export function placeSpecial(entry: TreeEntry, placing: Placing): void {
  if (entry.type !== "symlink" && native() === undefined) {
    return placing.warn(
      `Not made, for want of foreign functions: the ${entry.type} ${JSON.stringify(entry.path)}`,
    );
  }
  placeBy(entry.path, placing, (temporary) => {
    if (entry.type === "symlink") posix.symlink(entry.target!, temporary);
    else if (!makeNode(entry, temporary, placing.warn)) return false;
    dress(temporary, entry, placing);
    return true;
  });
}

function makeNode(entry: TreeEntry, temporary: string, warn: (message: string) => void): boolean {
  try {
    changes.mknod(temporary, bitsOf(entry.type) | 0o600, entry.rdev ?? [0, 0]);
    return true;
  } catch (error) {
    if (posix.errorCode(error) !== "EPERM") throw error;
    warn(`Cannot make the device ${JSON.stringify(entry.path)}: only root may`);
    return false;
  }
}

/** A further name of a file that is in its place already. */
export function placeLink(entry: TreeEntry, placing: Placing): void {
  const first = lookAt(placing.guard.check(entry.link!));
  if (first?.type !== "file") throw changedMeanwhile(entry.link!);
  const now = lookAt(placing.guard.check(entry.path));
  if (now !== undefined && now.ino === first.ino && now.dev === first.dev) return; // rename would do nothing
  placeBy(entry.path, placing, (temporary) => {
    posix.link(entry.link!, temporary);
    return true;
  });
}

function placeBy(path: string, placing: Placing, make: (temporary: string) => boolean): void {
  placing.guard.check(path);
  const temporary = placing.temporaryFor(path);
  try {
    if (make(temporary)) moveInto(temporary, path, placing);
  } catch (error) {
    discard(temporary);
    throw error;
  }
}

/** Renames a prepared file over whatever is there; of a folder only when it is empty. */
export function moveInto(temporary: string, path: string, placing: Placing): void {
  placing.guard.check(path);
  try {
    rename(temporary, path);
  } catch (error) {
    if (posix.errorCode(error) !== "EISDIR") throw error;
    posix.rmdir(path);
    rename(temporary, path);
  }
  placing.touched(parentOf(path));
}

/** Removes what was prepared, if it is there. */
export function discard(temporary: string): void {
  if (posix.lstat(temporary) !== undefined) posix.unlink(temporary);
}

/** Removes what came later. What is used as a mount point, or was filled meanwhile, stays and is named. */
export function remove(path: string, placing: Placing): boolean {
  placing.guard.check(path);
  const now = lookAt(path);
  if (now === undefined) return false;
  if (now.type !== "folder") posix.unlink(path);
  else if (!removeFolder(path, placing.warn)) return false;
  placing.touched(parentOf(path));
  return true;
}

function removeFolder(path: string, warn: (message: string) => void): boolean {
  try {
    posix.rmdir(path);
    return true;
  } catch (error) {
    const code = posix.errorCode(error);
    if (code !== "EBUSY" && code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
    warn(`Not removed: the folder ${JSON.stringify(path)} is ${code === "EBUSY" ? "in use" : "not empty"}`);
    return false;
  }
}

function changedMeanwhile(path: string): Error {
  return Object.assign(new Error(`${path} changed while it was restored`), { code: "EAGAIN" });
}
