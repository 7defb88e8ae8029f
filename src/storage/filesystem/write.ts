/** Whole files, written so that they are seen whole or not at all, also after a power loss. */
import { basename, dirname } from "node:path";
import { RollbackError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import { attempt, lookAt } from "#/core/system_error.ts";
import {
  type Attributes,
  type FilesystemTree,
  isSuperuser,
  permissionBits,
  temporaryBeside,
} from "./tree.ts";
import { ROOT_SCRATCH, UnsafePathError } from "#/storage/key.ts";
import { ConflictError } from "#/storage/object_store.ts";

/** Names of this process's temporary files begin with this, so that nobody sweeps away those in use. */
const PROCESS_TOKEN = crypto.randomUUID().slice(0, 8);
const LINK_UNSUPPORTED: ReadonlySet<string> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

const MAX_TRIES = 3;

/** Key of the folder for temporary files: one place, so that what a killed process left is found at once. */
const TEMPORARY = ".backout/tmp";
const ROOT_TEMPORARY = `${ROOT_SCRATCH}/tmp`;

/**
 * A path for a temporary file that can be renamed to `target`: in `.backout/tmp` where that is on the same filesystem,
 * so that recovery can sweep it, and so that readers of the published tree never see it.
 * @param target absolute path whose folder exists
 */
export function temporaryPath(tree: FilesystemTree, target: string): string {
  const token = `${PROCESS_TOKEN}-${crypto.randomUUID().slice(0, 8)}`;
  const device = tree.deviceOf(dirname(target));
  for (const key of [TEMPORARY, ROOT_TEMPORARY]) {
    if (device !== tree.deviceOf(tree.path(key))) continue;
    tree.guard().resolveFolder(key);
    return `${tree.makeFolder(key, false)}/${token}.tmp`;
  }
  return temporaryBeside(target, token);
}

/** Removes temporary files that killed processes left. Call it with the scope's lock held. */
export function sweepTemporary(tree: FilesystemTree): void {
  const guard = tree.guard();
  for (const key of [TEMPORARY, ROOT_TEMPORARY]) {
    const folder = guard.resolveFolder(key);
    for (const entry of posix.readFolder(folder) ?? []) {
      if (entry.isDirectory || entry.name.startsWith(PROCESS_TOKEN)) continue;
      removeIfThere(`${folder}/${entry.name}`);
    }
  }
}

/** Creates or replaces a file, atomically and durably. */
export function replaceFile(
  tree: FilesystemTree,
  path: string,
  bytes: Uint8Array,
  attributes: Attributes,
): void {
  withTemporary(tree, path, bytes, attributes, (temporary) => {
    attempt("replace", path, () => posix.rename(temporary, path));
  });
  tree.touch(dirname(path), true);
}

/** Creates a file, atomically and durably. @throws {ConflictError} when it exists */
export function createFile(
  tree: FilesystemTree,
  path: string,
  bytes: Uint8Array,
  attributes: Attributes,
): void {
  if (lookAt(path) !== undefined) throw existsAlready(path);
  withTemporary(tree, path, bytes, attributes, (temporary) => {
    try {
      posix.link(temporary, path);
    } catch (error) {
      const code = posix.errorCode(error);
      if (code === "EEXIST") throw existsAlready(path, error);
      if (code === undefined || !LINK_UNSUPPORTED.has(code)) {
        attempt("create", path, () => {
          throw error;
        });
      }
      createExclusively(path, bytes, attributes);
    }
    dropQuietly(temporary); // the file is there: what remains of it elsewhere is swept later
  });
  tree.touch(dirname(path), true);
}

/** Mode and owner for a file that replaces `path`: those it has, or `fallback`. */
export function attributesOfTarget(path: string, fallback: Attributes): Attributes {
  const info = lookAt(path);
  if (info === undefined) return fallback;
  if (!info.isFile) {
    throw new UnsafePathError(`Cannot replace ${path}: it is not a regular file`, {
      hint: "Replace it by a file, or remove it.",
    });
  }
  const mode = permissionBits(info);
  if (isSuperuser()) return { mode, owner: { uid: info.uid, gid: info.gid } };
  return info.gid === null ? { mode, owner: undefined } : { mode, owner: undefined, group: info.gid };
}

export function removeIfThere(path: string): void {
  attempt("remove", path, () => {
    try {
      posix.unlink(path);
    } catch (error) {
      if (posix.errorCode(error) !== "ENOENT") throw error;
    }
  });
}

/** Writes the temporary file, uses it, and leaves none behind on failure. */
function withTemporary(
  tree: FilesystemTree,
  path: string,
  bytes: Uint8Array,
  attributes: Attributes,
  use: (temporary: string) => void,
): void {
  for (let tries = 1;; tries++) {
    const temporary = temporaryPath(tree, path);
    try {
      attempt("write", path, () => posix.writeNewFile(temporary, bytes, attributes.mode, attributes));
      use(temporary);
      return;
    } catch (error) {
      // Whoever took the lock in between may have swept it.
      const swept = lookAt(temporary) === undefined && hasErrno(error, "ENOENT") && tries < MAX_TRIES;
      if (swept) continue;
      dropQuietly(temporary);
      throw error;
    }
  }
}

function hasErrno(error: unknown, errno: string): boolean {
  return error instanceof RollbackError ? error.context.errno === errno : posix.errorCode(error) === errno;
}

/** Removes a temporary file after a failure; the failure is what gets reported. */
export function dropQuietly(path: string): void {
  try {
    posix.unlink(path);
  } catch {
    // it may never have been made
  }
}

/** For filesystems without hard links: a torn file is removed, so only a power loss can show one. */
function createExclusively(path: string, bytes: Uint8Array, attributes: Attributes): void {
  try {
    posix.writeNewFile(path, bytes, attributes.mode, attributes);
  } catch (error) {
    if (posix.errorCode(error) === "EEXIST") throw existsAlready(path, error);
    dropQuietly(path);
    attempt("create", path, () => {
      throw error;
    });
  }
}

function existsAlready(path: string, cause?: unknown): ConflictError {
  return new ConflictError(`Cannot create ${path}: ${basename(path)} exists already`, {
    context: { path },
    cause,
  });
}
