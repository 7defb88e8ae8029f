/** Puts kept files in their places, each in one rename, and takes away what is not to be there. */
import { dirname, join } from "node:path";
import { RollbackError } from "#/core/errors.ts";
import { Pacer } from "#/core/pace.ts";
import * as posix from "#/core/posix.ts";
import type { StoreReader } from "#/store/store.ts";
import { isReached } from "./files.ts";
import type { KeptFile } from "./model.ts";

/** Files that are fetched from the store at once. */
const BATCH = 1000;

export interface PlaceContext {
  readonly store: StoreReader;
  readonly signal: AbortSignal;
  readonly warn: (message: string) => void;
}

/**
 * Puts the files below a folder; those that are absent are taken away.
 * @param stage a folder of our own, on the same filesystem where possible
 */
export async function placeFiles(
  files: readonly KeptFile[],
  folder: string,
  stage: string,
  context: PlaceContext,
): Promise<void> {
  for (let at = 0; at < files.length; at += BATCH) {
    const batch = files.slice(at, at + BATCH);
    const staged = batch.map(() => join(stage, crypto.randomUUID()));
    const contents = batch.flatMap((it, i) =>
      it.content === undefined ? [] : [{ content: it.content, path: staged[i]! }]
    );
    await context.store.writeFiles(contents, { signal: context.signal });
    for (const [index, file] of batch.entries()) {
      if (file.kind === "symlink") posix.symlink(file.target!, staged[index]!);
      if (file.kind === "file") dress(file, staged[index]!, context);
    }
    const failure = await posix.syncFiles(contents.map((it) => it.path), context.signal);
    if (failure !== undefined) throw failure.error;
    for (const [index, file] of batch.entries()) {
      if (file.kind === "absent") takeAway([file.path], folder);
      else moveInto(staged[index]!, folder, file.path);
    }
  }
}

function dress(file: KeptFile, path: string, { warn }: PlaceContext): void {
  if (file.owner !== undefined && file.owner.join() !== ownerOf(path)) {
    try {
      posix.chown(path, file.owner[0], file.owner[1]);
    } catch (error) {
      if (posix.errorCode(error) !== "EPERM") throw error;
      warn(
        `Cannot give ${file.path} to its owner (user ${file.owner[0]}, group ${
          file.owner[1]
        }): only root may`,
      );
    }
  }
  if (file.mode !== undefined) posix.chmod(path, file.mode);
}

function ownerOf(path: string): string {
  const info = posix.lstat(path)!;
  return `${info.uid},${info.gid}`;
}

function moveInto(staged: string, folder: string, path: string): void {
  makeRoom(folder, path);
  const full = join(folder, path);
  try {
    posix.rename(staged, full);
  } catch (error) {
    if (posix.errorCode(error) !== "EXDEV") throw error;
    const beside = join(dirname(full), `.backout-${crypto.randomUUID()}.tmp`);
    if (posix.lstat(staged)!.isSymlink) posix.symlink(Deno.readLinkSync(staged), beside);
    else posix.copyFile(staged, beside);
    posix.rename(beside, full);
    posix.unlink(staged);
  }
}

/**
 * Makes the folders above a path, real folders all of them, and takes empty folders from the path itself.
 * @throws {RollbackError} something is in the way that no snapshot has (an ignored file, say)
 */
export function makeRoom(folder: string, path: string): void {
  const segments = path.split("/").filter((it) => it !== "");
  let at = folder;
  for (const segment of segments.slice(0, -1)) {
    at = join(at, segment);
    const info = posix.lstat(at);
    if (info === undefined) posix.mkdir(at);
    // Above a configuration file the way may lead through symlinks: its owner named it so.
    else if (!info.isDirectory && !(folder === "/" && info.isSymlink)) throw inTheWay(at, path);
  }
  const full = join(folder, path);
  if (posix.lstat(full)?.isDirectory === true && !removeEmptyFolders(full)) throw inTheWay(full, path);
}

function inTheWay(what: string, path: string): RollbackError {
  return new RollbackError(
    `Cannot restore ${path}: ${what} is in the way, and no snapshot has it (git ignores it)`,
    {
      hint: `Move ${what} away, then try again.`,
      context: { path, in_the_way: what },
    },
  );
}

/** False when there is anything but folders in it; then nothing may be missing but empty folders. */
export function removeEmptyFolders(path: string): boolean {
  for (const entry of posix.readFolder(path) ?? []) {
    if (!entry.isDirectory || !removeEmptyFolders(join(path, entry.name))) return false;
  }
  posix.rmdir(path);
  return true;
}

/** Removes files and symlinks, and the folders that are empty by that. */
export function takeAway(names: readonly string[], folder: string): void {
  const emptied = new Set<string>();
  for (const path of names) {
    if (!isReached(folder, path)) continue;
    const full = join(folder, path);
    const info = posix.lstat(full);
    if (info === undefined || info.isDirectory) continue;
    posix.unlink(full);
    if (path.includes("/") && folder !== "/") emptied.add(dirname(path));
  }
  for (const path of [...emptied].sort((a, b) => b.length - a.length)) removeIfEmpty(path, folder);
}

function removeIfEmpty(path: string, folder: string): void {
  for (let at = path; at !== "." && at !== ""; at = dirname(at)) {
    if (posix.readFolder(join(folder, at))?.length !== 0) return;
    posix.rmdir(join(folder, at));
  }
}

/** Gives files their permission bits. */
export async function setModes(
  modes: Iterable<readonly [string, number]>,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const pacer = new Pacer(signal);
  for (const [path, mode] of modes) {
    if (pacer.due()) await pacer.rest();
    const full = join(folder, path);
    const info = posix.lstat(full);
    if (info?.isFile === true && (info.mode! & 0o7777) !== mode) posix.chmod(full, mode);
  }
}
