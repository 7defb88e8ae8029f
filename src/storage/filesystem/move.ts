/**
 * Moving by rename: one call for a folder that holds nothing else, one per file otherwise, and a copy where a rename
 * would not do (another filesystem, several links to the inode).
 */
import { digestFiles, NotAFileError, whatItIs } from "#/core/digest.ts";
import { StorageError } from "#/core/errors.ts";
import { Pacer } from "#/core/pace.ts";
import * as posix from "#/core/posix.ts";
import { attempt, lookAt } from "#/core/system_error.ts";
import { occupied } from "#/storage/conflict.ts";
import { copyFiles, isCheckedCopy } from "./copy.ts";
import { type FolderMove, planMoves, type Relocation } from "./move_plan.ts";
import { tagOf } from "./read.ts";
import { pruneEmptyFolders } from "./remove.ts";
import { type Attributes, type FilesystemTree, isSuperuser, permissionBits } from "./tree.ts";
import { parentKey } from "#/storage/key.ts";
import { removeIfThere } from "./write.ts";
import type { BatchOptions } from "#/storage/object_store.ts";

export interface RelocateOptions extends BatchOptions {
  /** Remove the source folders that became empty. */
  readonly prune: boolean;
}

/** What one run of `relocate` keeps in mind. */
interface Run {
  readonly tree: FilesystemTree;
  readonly options: RelocateOptions;
  readonly pacer: Pacer;
  readonly changed: Set<string>;
  /** Sources that were renamed by this run, so that their inodes must be the same. */
  readonly renamed: Set<string>;
  /** Moves that a rename cannot do. */
  readonly byCopy: Relocation[];
  readonly total: number;
  done: number;
}

/**
 * Moves files, durable after the next flush. What is at `to` and no longer at `from` counts as moved.
 * @returns the `from` keys that were found changed against `expected`, sorted
 */
export async function relocate(
  tree: FilesystemTree,
  moves: readonly Relocation[],
  options: RelocateOptions,
): Promise<readonly string[]> {
  const guard = tree.onlooker();
  for (const move of moves) {
    guard.resolve(move.from);
    guard.resolve(move.to);
  }
  const run: Run = {
    tree,
    options,
    pacer: new Pacer(options.signal),
    changed: new Set(),
    renamed: new Set(),
    byCopy: [],
    total: moves.length,
    done: 0,
  };
  const plan = planMoves(tree, moves);
  const files = [...plan.files];
  for (const folder of plan.folders) {
    await pace(run);
    if (!moveFolder(run, folder)) files.push(...folder.files.keys());
  }
  for (const file of files) {
    await pace(run);
    moveFile(run, file);
  }
  await moveByCopy(run);
  for (const move of moves) checkMoved(run, move);
  if (options.prune) pruneEmptyFolders(tree, moves.map((move) => move.from));
  return [...run.changed].sort();
}

async function pace(run: Run): Promise<void> {
  if (!run.pacer.due()) return;
  run.options.onProgress?.(run.done, run.total);
  await run.pacer.rest();
}

function finished(run: Run, count: number): void {
  run.done += count;
  run.options.onProgress?.(run.done, run.total);
}

/** False when the system refuses to rename the folder as a whole (another filesystem, a mount point). */
function moveFolder(run: Run, folder: FolderMove): boolean {
  const { tree } = run;
  for (const [move, info] of folder.files) noteChange(run, move, info);
  const [first] = folder.files.keys();
  makeParent(tree, folder.to, mirrored(tree, first!));
  const from = tree.path(folder.from);
  const refused = attempt("move", from, () => {
    try {
      posix.rename(from, tree.path(folder.to));
      return false;
    } catch (error) {
      const code = posix.errorCode(error);
      if (code === "EXDEV" || code === "EBUSY") return true;
      throw error;
    }
  });
  if (refused) return false;
  for (const move of folder.files.keys()) run.renamed.add(move.from);
  touchBoth(tree, folder.from, folder.to);
  finished(run, folder.files.size);
  return true;
}

function moveFile(run: Run, move: Relocation): void {
  const { tree } = run;
  const from = tree.path(move.from);
  const to = tree.path(move.to);
  const source = lookAt(from);
  const target = lookAt(to);
  if (source === undefined) {
    if (target === undefined) throw lost(move);
    return finished(run, 1);
  }
  if (!source.isFile) throw new NotAFileError(from, whatItIs(source));
  noteChange(run, move, source);
  if (target !== undefined || (source.nlink ?? 1) > 1) {
    run.byCopy.push(move);
    return;
  }
  makeParent(tree, move.to, mirrored(tree, move));
  attempt("move", from, () => {
    try {
      posix.rename(from, to);
    } catch (error) {
      if (posix.errorCode(error) !== "EXDEV") throw error;
      run.byCopy.push(move);
    }
  });
  if (run.byCopy.at(-1) === move) return;
  run.renamed.add(move.from);
  touchBoth(tree, move.from, move.to);
  finished(run, 1);
}

/** Copies what is not copied yet, checks what is, and only then removes the sources. */
async function moveByCopy(run: Run): Promise<void> {
  const { tree, byCopy } = run;
  if (byCopy.length === 0) return;
  const { signal } = run.options;
  const missing = byCopy.filter((move) => lookAt(tree.path(move.to)) === undefined);
  for (const move of missing) makeParent(tree, move.to, mirrored(tree, move));
  await copyFiles(
    tree,
    missing.map((move) => ({ from: move.from, to: move.to, sha256: null })),
    signal === undefined ? {} : { signal },
  );
  const copied = new Set(missing);
  await checkCopies(run, byCopy.filter((move) => !copied.has(move)));
  for (const move of byCopy) {
    await pace(run);
    removeIfThere(tree.path(move.from));
    touchBoth(tree, move.from, move.to);
    finished(run, 1);
  }
}

/** A copy that this process made is known to be good; any other is compared byte for byte. */
async function checkCopies(run: Run, moves: readonly Relocation[]): Promise<void> {
  const { tree } = run;
  const { signal } = run.options;
  const doubtful = moves.filter((move) => !isCheckedCopy(tree, move));
  for (const move of doubtful) {
    const to = Deno.lstatSync(tree.path(move.to));
    if (!to.isFile || to.size !== Deno.lstatSync(tree.path(move.from)).size) {
      throw occupied(tree.path(move.to));
    }
  }
  const sources = await digestFiles(doubtful.map((move) => tree.path(move.from)), { signal });
  const targets = await digestFiles(doubtful.map((move) => tree.path(move.to)), { signal });
  doubtful.forEach((move, i) => {
    if (sources[i]!.sha256 !== targets[i]!.sha256) throw occupied(tree.path(move.to));
  });
}

/** Compares the target with what was expected of the source; a copy has another inode, a rename another ctime. */
function checkMoved(run: Run, move: Relocation): void {
  const path = run.tree.path(move.to);
  const info = lookAt(path);
  if (info === undefined) throw lost(move);
  if (move.expected === undefined || run.changed.has(move.from)) return;
  const [inode, size, mtime] = move.expected.tag.split("-");
  const same = info.isFile && String(info.size) === size && String(info.mtime?.getTime() ?? 0) === mtime;
  const replaced = run.renamed.has(move.from) && String(info.ino ?? 0) !== inode;
  if (!same || replaced) run.changed.add(move.from);
}

function noteChange(run: Run, move: Relocation, info: Deno.FileInfo): void {
  if (move.expected !== undefined && tagOf(info) !== move.expected.tag) run.changed.add(move.from);
}

function makeParent(
  tree: FilesystemTree,
  key: string,
  attributes: (folderKey: string) => Attributes | undefined,
): void {
  tree.makeFolder(parentKey(key), false, attributes);
}

function touchBoth(tree: FilesystemTree, from: string, to: string): void {
  tree.touch(tree.path(parentKey(from)), false);
  tree.touch(tree.path(parentKey(to)), false);
}

/**
 * Mode and owner of the folders that have to be made for a move: those of the folder with the same end at the source,
 * so that moving there and back leaves them as they were.
 */
function mirrored(tree: FilesystemTree, move: Relocation): (folderKey: string) => Attributes | undefined {
  return (folderKey) => {
    const rest = move.to.slice(folderKey.length);
    if (!move.from.endsWith(rest)) return undefined;
    const source = move.from.slice(0, move.from.length - rest.length);
    if (source === "") return undefined;
    const info = lookAt(tree.path(source));
    if (info?.isDirectory !== true) return undefined;
    return isSuperuser()
      ? { mode: permissionBits(info), owner: { uid: info.uid, gid: info.gid } }
      : { mode: permissionBits(info) | 0o700, owner: undefined }; // else we could not fill it
  };
}

function lost(move: Relocation): StorageError {
  return new StorageError(`Cannot move ${move.from}: it is neither there nor at ${move.to}`, {
    hint: "Somebody else moved or removed it. `backout release verify` shows what is missing.",
    context: { from: move.from, to: move.to },
  });
}
