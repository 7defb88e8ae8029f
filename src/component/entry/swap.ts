/**
 * Puts a finished folder (or file) in the place of another in two renames, and back. Each call looks at the world, so it
 * may be made again after a crash at any point inside it.
 *
 * All three paths are in one folder. `staged` is what comes, `old` is where what was there waits.
 */
import { dirname, join } from "node:path";
import * as posix from "#/core/posix.ts";
import { removeFolder } from "#/core/output_file.ts";
import { attempt, lookAt } from "#/core/system_error.ts";

export interface SwapPaths {
  readonly target: string;
  readonly staged: string;
  readonly old: string;
  /** Whether something was at the target before. */
  readonly replaces: boolean;
  /** Names directly in the old folder that go over into the new one and back, `.git` for example. @default none */
  readonly keep?: readonly string[];
  /** Whether the names are durable when it returns. @default true */
  readonly durable?: boolean;
}

/** Makes `staged` the target; what was there is at `old` then (nothing, where nothing was there). */
export function swapIn({ target, staged, old, keep = [], durable = true }: SwapPaths): void {
  attempt("replace", target, () => {
    if (isThere(staged)) {
      if (isThere(target) && !isThere(old)) posix.rename(target, old);
      posix.rename(staged, target);
    }
    for (const name of keep) moveIfThere(join(old, name), join(target, name));
    if (durable) posix.syncFolder(dirname(target));
  });
}

/**
 * Takes a swap back: what was there is there again, what came is at `staged` again.
 * Where there was nothing before, the target is taken away.
 */
export function swapBack({ target, staged, old, replaces, keep = [] }: SwapPaths): void {
  attempt("put back", target, () => {
    if (isThere(old)) {
      for (const name of keep) moveIfThere(join(target, name), join(old, name));
      if (isThere(target)) posix.rename(target, staged);
      posix.rename(old, target);
    } else if (!replaces && isThere(target) && !isThere(staged)) posix.rename(target, staged);
    posix.syncFolder(dirname(target));
  });
}

/** Removes what waits at `old` or `staged`, for good. */
export function removeStaged(path: string): void {
  const info = lookAt(path);
  if (info === undefined) return;
  attempt("remove", path, () => {
    if (!info.isDirectory) return posix.unlink(path);
    makeWritable(path);
    removeFolder(path);
  });
}

const OWNER = 0o700;

/** An entry may hold folders that nobody may write to. */
function makeWritable(folder: string): void {
  if (((posix.lstat(folder)?.mode ?? OWNER) & OWNER) !== OWNER) posix.chmod(folder, OWNER);
  for (const { name, isDirectory } of posix.readFolder(folder) ?? []) {
    if (isDirectory) makeWritable(join(folder, name));
  }
}

function moveIfThere(from: string, to: string): void {
  if (isThere(from) && !isThere(to)) posix.rename(from, to);
}

function isThere(path: string): boolean {
  return posix.lstat(path) !== undefined;
}
