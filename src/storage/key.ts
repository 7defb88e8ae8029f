/** Keys: slash-separated paths from the root of a repository, and which of them no storage acts on. */
import { StorageError } from "#/core/errors.ts";

/** A symlink, or something else that is no folder, is on the way to a key (or a key is no plain path). */
export class UnsafePathError extends StorageError {
  override readonly kind = "unsafe_path";
}

/** Folders that hold backout's own files; on a filesystem they may be in a state folder of their own. */
const STATE_FOLDERS: ReadonlySet<string> = new Set([".backout", ".rollback-backups"]);
/** Scratch in the root of a directory, where `.backout` is on another filesystem. */
export const ROOT_SCRATCH = ".backout-scratch";

/** True for the names at the root that are backout's own. */
export function isOwnFolder(name: string): boolean {
  return STATE_FOLDERS.has(name) || name === ROOT_SCRATCH;
}

/** True for keys of what backout keeps for itself. */
export function isStateKey(key: string): boolean {
  return STATE_FOLDERS.has(firstSegment(key));
}

/** Why a key is no plain path, undefined when it is one (or empty: the root). */
export function keyProblem(key: string): string | undefined {
  if (key === "") return undefined;
  if (key.includes("\0")) return "it contains a NUL";
  for (const segment of key.split("/")) {
    if (segment === "" || segment === ".") return "it has an empty part";
    if (segment === "..") return "it climbs out";
  }
  return undefined;
}

/** The error of a key that has a problem. */
export function unsafeKey(key: string, problem: string): UnsafePathError {
  return new UnsafePathError(`Cannot use ${JSON.stringify(key)} as a path in the repository: ${problem}`);
}

export function firstSegment(key: string): string {
  const slash = key.indexOf("/");
  return slash === -1 ? key : key.slice(0, slash);
}

/** The folder of a key; "" for the root. */
export function parentKey(key: string): string {
  const slash = key.lastIndexOf("/");
  return slash === -1 ? "" : key.slice(0, slash);
}

export function joinKey(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}
