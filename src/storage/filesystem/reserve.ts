/** Disk space set aside, so that a rollback can still write its journal when the disk is full. */
import * as posix from "#/core/posix.ts";
import { attempt, isSystemFailure, lookAt, SystemError } from "#/core/system_error.ts";
import type { FilesystemTree } from "./tree.ts";
import { dropQuietly, removeIfThere } from "./write.ts";

const RESERVE = ".backout/reserve";
const FILES = 16;
const MIN_BYTES = 1 << 20;
const BLOCK = 4096;
const RANDOM_CHUNK = 65536;

/** Removes the reserve. True when there was any. */
export function releaseReserve(tree: FilesystemTree): boolean {
  const folder = tree.guard().resolveFolder(RESERVE);
  const names = reserveFiles(folder);
  for (const name of names) removeIfThere(`${folder}/${name}`);
  return names.length > 0;
}

/**
 * Makes the reserve at least that large. Several files, since a full disk may need the space in pieces; random bytes,
 * since some filesystems keep no space for zeros. A disk without room is no failure: then there is no reserve.
 */
export function keepReserve(tree: FilesystemTree, bytes: number): void {
  const size = Math.ceil(Math.max(bytes, MIN_BYTES) / FILES / BLOCK) * BLOCK;
  try {
    const folder = tree.guard().resolveFolder(RESERVE);
    const wanted = Array.from({ length: FILES }, (_, i) => String(i).padStart(2, "0"));
    const missing = wanted.filter((name) => (lookAt(`${folder}/${name}`)?.size ?? 0) < size);
    if (missing.length === 0) return;
    tree.makeFolder(RESERVE, true);
    writeFiles(tree, folder, missing, size);
  } catch (error) {
    if (!(error instanceof SystemError) && !isSystemFailure(error)) throw error;
  }
}

function writeFiles(
  tree: FilesystemTree,
  folder: string,
  names: readonly string[],
  size: number,
): void {
  const { owner } = tree;
  for (const name of names) {
    const path = `${folder}/${name}`;
    const larger = `${path}.new`;
    removeIfThere(larger);
    try {
      attempt("write", larger, () => posix.writeNewFile(larger, randomBytes(size), 0o600, { owner }));
      attempt("write", path, () => posix.rename(larger, path));
    } catch (error) {
      dropQuietly(larger); // what there was before is still something
      throw error;
    }
  }
  tree.touch(folder, true);
}

function reserveFiles(folder: string): readonly string[] {
  return (posix.readFolder(folder) ?? []).filter((entry) => !entry.isDirectory).map((entry) => entry.name);
}

function randomBytes(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += RANDOM_CHUNK) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(at + RANDOM_CHUNK, size)));
  }
  return bytes;
}
