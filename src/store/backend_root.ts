/** The folder of a snapshot store: whose it must be, and how it is made. */
import { dirname } from "node:path";
import { StorageError } from "#/core/errors.ts";
import { currentUser } from "#/core/permission.ts";
import * as posix from "#/core/posix.ts";
import { attempt, lookAt } from "#/core/system_error.ts";

const FOLDER_MODE = 0o700;
const WRITABLE_BY_OTHERS = 0o022;

/**
 * The real path of a store's folder; undefined when it is not there.
 *
 * Whoever can write into a store decides what a restore writes, so the folder must be this user's and nobody else may
 * write to it. A symlink to it is followed where this user or root made it.
 * @throws {StorageError}
 */
export function resolveStoreRoot(path: string): string | undefined {
  const link = lookAt(path);
  if (link === undefined) return undefined;
  if (link.isSymlink && isForeign(link.uid) && link.uid !== 0) {
    throw new StorageError(
      `Cannot use ${path} as a snapshot store: it is a symlink that user ${link.uid} made`,
      {
        hint: "Whoever made it can lead the store elsewhere at any time: name the folder itself.",
      },
    );
  }
  const real = link.isSymlink ? attempt("follow", path, () => Deno.realPathSync(path)) : path;
  const info = link.isSymlink ? lookAt(real) : link;
  if (info === undefined) return undefined;
  if (!info.isDirectory) {
    throw new StorageError(`Cannot use ${path} as a snapshot store: it is not a folder`, {
      hint: "Name a folder that is empty, or one that is not there yet.",
    });
  }
  assertOwn(path, info);
  return real;
}

/** Makes a folder (0700) and those above it, with their names durable. */
export function makeDurableFolder(path: string): void {
  const info = lookAt(path);
  if (info?.isDirectory === true) return;
  if (info !== undefined) {
    throw new StorageError(`Cannot use ${path} in a snapshot store: it is not a folder`, {
      hint: info.isSymlink
        ? "It is a symlink, which is not followed inside a store: remove it."
        : "Move it away.",
    });
  }
  const above = dirname(path);
  if (lookAt(above) === undefined) makeDurableFolder(above);
  attempt("create", path, () => {
    try {
      posix.mkdir(path, FOLDER_MODE);
    } catch (error) {
      if (posix.errorCode(error) !== "EEXIST") throw error;
    }
    posix.syncFolder(above);
  });
}

function assertOwn(path: string, info: Deno.FileInfo): void {
  if (isForeign(info.uid)) {
    throw new StorageError(
      `Cannot use ${path} as a snapshot store: it belongs to user ${info.uid}, and this is user ${currentUser()}`,
      {
        hint: `Run as its owner, or give the whole folder to this user: chown -R ${currentUser()} ${path}`,
        context: { path, owner: info.uid, user: currentUser() ?? null },
      },
    );
  }
  if (info.mode !== null && (info.mode & WRITABLE_BY_OTHERS) !== 0) {
    throw new StorageError(`Cannot use ${path} as a snapshot store: other users may write to it`, {
      hint: `Take that away: chmod 700 ${path}`,
      context: { path },
    });
  }
}

function isForeign(uid: number | null): boolean {
  const me = currentUser();
  return uid !== null && me !== undefined && uid !== me;
}
