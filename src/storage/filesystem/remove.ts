/** Removing: what is not there is no error, a symlink is removed itself and never followed. */
import { dirname } from "node:path";
import { NotAFileError } from "#/core/digest.ts";
import { Pacer } from "#/core/pace.ts";
import * as posix from "#/core/posix.ts";
import { attempt, lookAt } from "#/core/system_error.ts";
import type { FilesystemTree } from "./tree.ts";
import { isOwnFolder, parentKey } from "#/storage/key.ts";
import { removeIfThere } from "./write.ts";
import type { BatchOptions } from "#/storage/object_store.ts";

/** Durable after the next flush. @throws {NotAFileError} when a key is a folder */
export async function removeFiles(
  tree: FilesystemTree,
  keys: readonly string[],
  options: BatchOptions,
): Promise<void> {
  const guard = tree.guard();
  const pacer = new Pacer(options.signal);
  let done = 0;
  for (const key of keys) {
    if (pacer.due()) await pacer.rest();
    const path = guard.resolve(key);
    const info = lookAt(path);
    if (info?.isDirectory === true) throw new NotAFileError(path, "a folder");
    if (info !== undefined) {
      removeIfThere(path);
      tree.touch(dirname(path), false);
    }
    options.onProgress?.(++done, keys.length);
  }
  pruneEmptyFolders(tree, keys);
}

/** Removes the folders of these keys that are empty now, and those above that became so; never the root. */
export function pruneEmptyFolders(tree: FilesystemTree, keys: readonly string[]): void {
  const folders = [...new Set(keys.map(parentKey))].sort((a, b) => depthOf(b) - depthOf(a));
  for (const folder of folders) {
    for (let key = folder; key !== "" && !isOwnFolder(key) && removeEmpty(tree, key);) key = parentKey(key);
  }
}

/** True when the folder is gone. */
function removeEmpty(tree: FilesystemTree, key: string): boolean {
  const path = tree.path(key);
  if (lookAt(path) === undefined) return true;
  const removed = attempt("remove the folder", path, () => {
    try {
      posix.rmdir(path);
      return true;
    } catch (error) {
      const code = posix.errorCode(error);
      if (code === "ENOENT") return true;
      if (code === "ENOTEMPTY" || code === "EEXIST" || code === "ENOTDIR" || code === "EBUSY") return false;
      throw error;
    }
  });
  if (removed) {
    tree.touched.delete(path);
    tree.touch(dirname(path), false);
  }
  return removed;
}

/** Removes a file, symlink or whole folder, durably. */
export async function removeTree(tree: FilesystemTree, key: string): Promise<void> {
  const path = tree.guard().resolve(key);
  const info = lookAt(path);
  if (info === undefined) return;
  if (info.isDirectory) await removeFolder(tree, path, new Pacer());
  else removeIfThere(path);
  tree.touch(dirname(path), true);
}

async function removeFolder(tree: FilesystemTree, path: string, pacer: Pacer): Promise<void> {
  for (const entry of attempt("list", path, () => posix.readFolder(path)) ?? []) {
    if (pacer.due()) await pacer.rest();
    const child = `${path}/${entry.name}`;
    if (entry.isDirectory) await removeFolder(tree, child, pacer);
    else removeIfThere(child);
  }
  attempt("remove the folder", path, () => {
    try {
      posix.rmdir(path);
    } catch (error) {
      if (posix.errorCode(error) !== "ENOENT") throw error;
    }
  });
  tree.touched.delete(path);
}

function depthOf(key: string): number {
  return key.split("/").length;
}
