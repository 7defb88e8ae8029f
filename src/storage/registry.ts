/** The one list of storage drivers, by scheme. A new driver is a case here and a run of the contract suite. */
import { resolve } from "node:path";
import { UsageError } from "#/core/errors.ts";
import { FilesystemLock } from "./filesystem_lock.ts";
import { FilesystemStore } from "./filesystem.ts";
import { statFollowing } from "./filesystem_tree.ts";
import type { ScopeLock } from "./lock.ts";
import { type Location, parseLocation } from "./location.ts";
import type { ObjectStore } from "./object_store.ts";

export interface StoreOptions {
  /** Folder for `.backout` and `.rollback-backups` instead of the location itself. */
  readonly stateDir?: string | undefined;
}

/** Opens the storage at a location. Nothing is created before the first call. @throws {UsageError} */
export function openStore(location: string, options: StoreOptions = {}): ObjectStore {
  const parsed = parseLocation(location);
  if (parsed.type !== "local") throw noDriver(parsed);
  const root = resolve(parsed.path);
  refuseNoFolder(root);
  return new FilesystemStore(root, stateFolder(options));
}

/** The lock of the scope at a location. @throws {UsageError} */
export function openLock(location: string, options: StoreOptions = {}): ScopeLock {
  const parsed = parseLocation(location);
  if (parsed.type !== "local") throw noDriver(parsed);
  return new FilesystemLock(resolve(parsed.path), stateFolder(options));
}

function refuseNoFolder(root: string): void {
  const info = statFollowing(root);
  if (info === undefined || info.isDirectory) return;
  throw new UsageError(`Cannot use ${root} as a repository: it is not a folder`, {
    hint: "Give the folder that holds index.json, or a new folder to publish into.",
  });
}

function stateFolder(options: StoreOptions): string | undefined {
  return options.stateDir === undefined ? undefined : resolve(options.stateDir);
}

function noDriver(location: Exclude<Location, { type: "local" }>): UsageError {
  const scheme = location.type === "s3" ? "s3://" : "gs://";
  return new UsageError(
    `Cannot open ${scheme}${location.bucket}: this build has no driver for ${scheme} yet`,
    {
      hint: "Use a folder (a path or file://…) as the repository.",
    },
  );
}
