/** What an operation prepares unseen: replacements of single files, and new artifacts. */
import { sha256Hex } from "#/core/sha256.ts";
import { dirname } from "node:path";
import { digestFiles, lstatRegular } from "#/core/digest.ts";
import { StorageError } from "#/core/errors.ts";
import { Pacer } from "#/core/pace.ts";
import * as posix from "#/core/posix.ts";
import { attempt, lookAt } from "#/core/system_error.ts";
import type { FileRecord } from "#/repository/index_format.ts";
import { copyDiffers, occupied, sizeDiffers } from "#/storage/conflict.ts";
import { copyOne, digestAndSync, dress } from "./copy.ts";
import { currentKey, readWhole } from "./read.ts";
import { type Attributes, type FilesystemTree, isSuperuser } from "./tree.ts";
import { joinKey, parentKey, ROOT_SCRATCH } from "#/storage/key.ts";
import { attributesOfTarget, removeIfThere, replaceFile } from "./write.ts";
import { relocate } from "./move.ts";
import { type BatchOptions, ConflictError, type StagedFile } from "#/storage/object_store.ts";

const STAGED_ARTIFACTS = "new";

/** Folder keys where an operation's scratch may be; the first one is in use. */
export function scratchFolders(tree: FilesystemTree, operation: string): readonly [string, string] {
  const inState = `.backout/operations/${operation}/scratch`;
  const inRoot = `${ROOT_SCRATCH}/${operation}`;
  return tree.deviceOf(tree.path(inState)) === tree.deviceOf(tree.root)
    ? [inState, inRoot]
    : [inRoot, inState];
}

export function scratchKeyOf(tree: FilesystemTree, operation: string, name: string): string {
  return joinKey(scratchFolders(tree, operation)[0], name);
}

export function stageReplacement(
  tree: FilesystemTree,
  operation: string,
  name: string,
  key: string,
  bytes: Uint8Array,
): void {
  const guard = tree.guard();
  const attributes = attributesOfTarget(guard.resolve(key), tree.newFile(key));
  const scratch = scratchKeyOf(tree, operation, name);
  guard.resolve(scratch);
  tree.makeFolder(parentKey(scratch), true);
  replaceFile(tree, tree.path(scratch), bytes, attributes);
}

export function commitReplacement(
  tree: FilesystemTree,
  operation: string,
  name: string,
  key: string,
  ifTag: string | null,
): void {
  const guard = tree.guard();
  const target = guard.resolve(key);
  const scratch = guard.resolve(scratchKeyOf(tree, operation, name));
  if (lookAt(scratch) === undefined) {
    throw new StorageError(`Cannot commit ${key}: nothing is staged as ${JSON.stringify(name)}`, {
      context: { key, name },
    });
  }
  tree.makeFolder(parentKey(key), true);
  const current = readWhole(target, Number.MAX_SAFE_INTEGER);
  const tag = current === undefined ? null : sha256Hex(current);
  if (tag !== ifTag) throw changedMeanwhile(key, tag, ifTag);
  attempt("replace", target, () => posix.rename(scratch, target));
  tree.touch(dirname(target), true);
}

function changedMeanwhile(key: string, found: string | null, expected: string | null): ConflictError {
  const state = found === null
    ? "it was removed"
    : expected === null
    ? "it exists already"
    : "it was changed";
  return new ConflictError(`Cannot replace ${key}: ${state} by somebody else in the meantime`, {
    hint: "Run the command again; it reads the file anew.",
    context: { key, expected, found },
  });
}

/** The first half of `ObjectStore.addFiles`: durable copies in the operation's scratch. */
export async function stageFiles(
  tree: FilesystemTree,
  operation: string,
  files: readonly StagedFile[],
  options: BatchOptions,
): Promise<void> {
  const base = scratchKeyOf(tree, operation, STAGED_ARTIFACTS);
  const total = files.reduce((sum, file) => sum + file.record.size, 0);
  const guard = tree.guard();
  const pacer = new Pacer(options.signal);
  const paths: string[] = [];
  const folders = new Set<string>();
  const shape = publishedShape(tree, base);
  let copied = 0;
  for (const file of files) {
    if (pacer.due()) await pacer.rest();
    const key = joinKey(base, file.record.path);
    const to = guard.resolve(key);
    const folder = parentKey(key);
    if (!folders.has(folder)) tree.makeFolder(folder, true, shape);
    folders.add(folder);
    await copyToScratch(tree, file, to);
    paths.push(to);
    copied += file.record.size;
    options.onProgress?.(Math.floor(copied / 2), total); // copying is half of the work, checking the other
  }
  await checkStaged(files, paths, total, options);
  for (const folder of folders) tree.touch(tree.path(folder), true);
}

async function copyToScratch(tree: FilesystemTree, file: StagedFile, to: string): Promise<void> {
  const { source } = file;
  const from = "path" in source ? source.path : tree.guard().resolve(
    currentKey("versionId" in source ? source : source.key),
  );
  const info = lstatRegular(from);
  if (info.size !== file.record.size) {
    throw sizeDiffers(from, file.record.size, info.size);
  }
  if (lookAt(to) !== undefined) removeIfThere(to); // from an earlier attempt
  await copyOne(from, to, info);
  const owner = isSuperuser() ? file.owner ?? tree.owner : undefined;
  dress(to, { mode: file.record.mode, owner }, file.mtime === undefined ? null : new Date(file.mtime));
}

async function checkStaged(
  files: readonly StagedFile[],
  paths: readonly string[],
  total: number,
  options: BatchOptions,
): Promise<void> {
  const digests = await digestAndSync(paths, {
    ...options,
    onProgress: (done) => options.onProgress?.(Math.floor((total + done) / 2), total),
  });
  files.forEach((file, i) => {
    if (digests[i]!.sha256 === file.record.sha256) return;
    throw copyDiffers(file.record.path, file.record.sha256, digests[i]!.sha256);
  });
}

/** Staged folders may become published ones by a rename, so they look like those from the start. */
function publishedShape(tree: FilesystemTree, base: string): (key: string) => Attributes | undefined {
  const published = tree.publishedFolder;
  return (key) => (key.startsWith(base + "/") ? published : tree.stateFolder(key));
}

/** The second half of `ObjectStore.addFiles`: whole new top folders by one rename, else file by file. */
export async function placeStaged(
  tree: FilesystemTree,
  operation: string,
  files: readonly FileRecord[],
): Promise<void> {
  const base = scratchKeyOf(tree, operation, STAGED_ARTIFACTS);
  const pending = await checkTargets(tree, base, files);
  await relocate(
    tree,
    pending.map((file) => ({ from: joinKey(base, file.path), to: file.path })),
    { prune: false },
  );
}

/** Which staged files have still to be placed; those whose target is there already are dropped. */
async function checkTargets(
  tree: FilesystemTree,
  base: string,
  files: readonly FileRecord[],
): Promise<readonly FileRecord[]> {
  const guard = tree.guard();
  const both: FileRecord[] = [];
  const pending: FileRecord[] = [];
  for (const file of files) {
    const to = guard.resolve(file.path);
    const target = lookAt(to);
    const from = guard.resolve(joinKey(base, file.path));
    const staged = lookAt(from) !== undefined;
    if (target === undefined && !staged) {
      throw new StorageError(`Cannot put ${file.path} into place: its staged copy is missing`, {
        context: { path: file.path },
      });
    }
    if (target === undefined) pending.push(file);
    else if (!target.isFile || target.size !== file.size) throw occupied(to);
    else if (staged) both.push(file);
  }
  const digests = await digestFiles(both.map((file) => tree.path(file.path)));
  both.forEach((file, i) => {
    if (digests[i]!.sha256 !== file.sha256) throw occupied(tree.path(file.path));
  });
  for (const file of both) removeIfThere(tree.path(joinKey(base, file.path)));
  return pending;
}
