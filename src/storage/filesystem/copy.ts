/** Copies that are durable and checked byte for byte before they get their name. */
import { digestFiles, type FileDigest, lstatRegular } from "#/core/digest.ts";
import { Pacer, throwIfStopped } from "#/core/pace.ts";
import * as posix from "#/core/posix.ts";
import { attempt, lookAt, systemError } from "#/core/system_error.ts";
import { copyDiffers, occupied } from "#/storage/conflict.ts";
import { tagOf } from "./read.ts";
import { type Attributes, type FilesystemTree, isSuperuser, permissionBits } from "./tree.ts";
import { parentKey } from "#/storage/key.ts";
import { dropQuietly, temporaryPath } from "./write.ts";
import type { BatchOptions } from "#/storage/object_store.ts";

/** Above this a copy leaves this thread, so that signals are seen meanwhile. */
const LARGE_COPY_BYTES = 32 << 20;

export interface Copy {
  readonly from: string;
  readonly to: string;
  readonly sha256: string | null;
}

/** Copies one regular file to a path that must not exist. Its bytes are not durable yet. */
export async function copyOne(from: string, to: string, info: Deno.FileInfo): Promise<void> {
  try {
    if (info.size > LARGE_COPY_BYTES) await posix.copyFileAside(from, to);
    else posix.copyFile(from, to);
  } catch (error) {
    throw systemError(error, `copy ${from} to`, to);
  }
}

/** Mode and owner as given, then times (which a chown would not disturb). */
export function dress(path: string, attributes: Attributes, mtime: Date | null): void {
  attempt("set the owner and mode of", path, () => {
    const owner = attributes.owner;
    if (owner !== undefined) posix.chown(path, owner.uid, owner.gid);
    if (permissionBits(Deno.lstatSync(path)) !== attributes.mode) posix.chmod(path, attributes.mode);
    if (mtime !== null) posix.setTimes(path, mtime, mtime);
  });
}

/** Holds a failure until the other work has ended too. */
class DigestFailure {
  constructor(readonly error: unknown) {}
}

function keepError(error: unknown): DigestFailure {
  return new DigestFailure(error);
}

/** Hashes files while their bytes go to disk. */
export async function digestAndSync(
  paths: readonly string[],
  options: BatchOptions,
): Promise<FileDigest[]> {
  const synced = posix.syncFiles(paths, options.signal);
  const [digests, failure] = await Promise.all([digestFiles(paths, options).catch(keepError), synced]);
  if (digests instanceof DigestFailure) throw digests.error;
  if (failure !== undefined) throw systemError(failure.error, "write", failure.path);
  throwIfStopped(options.signal); // what was not begun any more is not durable
  return digests;
}

/** `ObjectStore.copyFiles`: temporary copies, checked, then renamed, then the folders made durable. */
export async function copyFiles(
  tree: FilesystemTree,
  copies: readonly Copy[],
  options: BatchOptions,
): Promise<void> {
  const todo = await copiesToDo(tree, copies, options);
  const temporaries: string[] = [];
  try {
    const pacer = new Pacer(options.signal);
    const folders = new Set<string>();
    for (const copy of todo) {
      if (pacer.due()) await pacer.rest();
      const from = tree.path(copy.from);
      const info = lstatRegular(from);
      folders.add(tree.makeFolder(parentKey(copy.to), true));
      const temporary = temporaryPath(tree, tree.path(copy.to));
      temporaries.push(temporary);
      await copyOne(from, temporary, info);
      const owner = isSuperuser() ? { uid: info.uid, gid: info.gid } : undefined;
      dress(temporary, { mode: permissionBits(info), owner }, info.mtime);
    }
    const digests = await digestAndSync(temporaries, options);
    await checkDigests(tree, todo, digests, options);
    todo.forEach((copy, i) => {
      const to = tree.path(copy.to);
      attempt("create", to, () => posix.rename(temporaries[i]!, to));
    });
    temporaries.length = 0;
    for (const copy of todo) tree.checkedCopies.set(pairOf(copy), pairState(tree, copy));
    for (const folder of folders) tree.touch(folder, true);
  } catch (error) {
    temporaries.forEach(dropQuietly);
    throw error;
  }
}

/** True when this process has compared the two, and neither has changed since. */
export function isCheckedCopy(tree: FilesystemTree, copy: { from: string; to: string }): boolean {
  return tree.checkedCopies.get(pairOf(copy)) === pairState(tree, copy);
}

function pairOf(copy: { from: string; to: string }): string {
  return `${copy.from}\0${copy.to}`;
}

function pairState(tree: FilesystemTree, copy: { from: string; to: string }): string {
  return [copy.from, copy.to].map((key) => tagOf(lstatRegular(tree.path(key)))).join(" ");
}

/** Leaves out the copies that are there already with the same bytes. */
async function copiesToDo(
  tree: FilesystemTree,
  copies: readonly Copy[],
  options: BatchOptions,
): Promise<readonly Copy[]> {
  const guard = tree.guard();
  const existing = copies.filter((copy) => {
    guard.resolve(copy.from);
    const to = guard.resolve(copy.to);
    return lookAt(to) !== undefined;
  });
  if (existing.length === 0) return copies;
  const { signal } = options;
  const found = await digestFiles(existing.map((copy) => tree.path(copy.to)), { signal });
  const wanted = await wantedDigests(tree, existing, signal);
  existing.forEach((copy, i) => {
    if (found[i]!.sha256 !== wanted[i]) throw occupied(tree.path(copy.to));
  });
  for (const copy of existing) tree.checkedCopies.set(pairOf(copy), pairState(tree, copy));
  const done = new Set(existing);
  return copies.filter((copy) => !done.has(copy));
}

/** The digests given, and those of the sources where none is given. */
async function wantedDigests(
  tree: FilesystemTree,
  copies: readonly Copy[],
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const unknown = copies.filter((copy) => copy.sha256 === null);
  const digests = await digestFiles(unknown.map((copy) => tree.path(copy.from)), { signal });
  const computed = new Map(unknown.map((copy, i) => [copy, digests[i]!.sha256]));
  return copies.map((copy) => copy.sha256 ?? computed.get(copy)!);
}

async function checkDigests(
  tree: FilesystemTree,
  copies: readonly Copy[],
  digests: readonly FileDigest[],
  options: BatchOptions,
): Promise<void> {
  const wanted = await wantedDigests(tree, copies, options.signal);
  copies.forEach((copy, i) => {
    if (digests[i]!.sha256 !== wanted[i]) throw copyDiffers(copy.from, wanted[i]!, digests[i]!.sha256);
  });
}
