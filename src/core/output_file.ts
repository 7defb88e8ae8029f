/** Files that a caller asked for, outside any repository: reports, manifests, plans, scratch folders. */
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as posix from "#/core/posix.ts";

/**
 * Writes a file, whole or not at all; its folder is made. A device or a pipe (`/dev/stdout`) is written to as it is.
 * @throws the system's error
 */
export function writeOutputFile(path: string, content: Uint8Array | string): void {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  makeFolders(dirname(path));
  const existing = posix.lstat(path);
  if (existing !== undefined && !existing.isFile) return posix.writeToStream(path, bytes);
  const temporary = join(dirname(path), `.backout-${crypto.randomUUID()}.tmp`);
  try {
    posix.writeNewFile(temporary, bytes);
    posix.rename(temporary, path);
  } catch (error) {
    if (posix.lstat(temporary) !== undefined) posix.unlink(temporary);
    throw error;
  }
}

/** Makes a folder and those above it. */
export function makeFolders(path: string): void {
  if (posix.lstat(path) !== undefined) return;
  makeFolders(dirname(path));
  try {
    posix.mkdir(path);
  } catch (error) {
    if (posix.errorCode(error) !== "EEXIST") throw error;
  }
}

/** A new empty folder of our own below the system's folder for temporary files. */
export function makeTemporaryFolder(prefix: string): string {
  const path = join(tmpdir(), `${prefix}${crypto.randomUUID()}`);
  posix.mkdir(path, 0o700);
  return path;
}

/** Removes a folder of our own with everything in it; symlinks are removed, not followed. */
export function removeFolder(path: string): void {
  for (const entry of posix.readFolder(path) ?? []) {
    const child = join(path, entry.name);
    if (entry.isDirectory) removeFolder(child);
    else posix.unlink(child);
  }
  posix.rmdir(path);
}
