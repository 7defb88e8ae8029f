/** The documents of a meta repository: read, and replaced whole. */
import { dirname, join } from "node:path";
import { RollbackError } from "#/core/errors.ts";
import { makeFolders } from "#/core/output_file.ts";
import * as posix from "#/core/posix.ts";
import { sha256Hex } from "#/core/sha256.ts";
import type { StoreReader } from "#/store/store.ts";
import type { FileState } from "./model.ts";

const MAX_BYTES = 16 * 1024 * 1024;

/** Undefined where there is none. @throws {RollbackError} it is no plain file, or a symlink is on the way */
export function readDocument(root: string, path: string): Uint8Array | undefined {
  const full = plainPath(root, path);
  const info = posix.lstat(full);
  if (info === undefined) return undefined;
  if (!info.isFile || info.size > MAX_BYTES) {
    throw new RollbackError(`Cannot work on ${full}: it is not a plain file of at most 16 MiB`);
  }
  return Deno.readFileSync(full);
}

/** @throws {RollbackError} the path climbs out, or a symlink is on the way */
function plainPath(root: string, path: string): string {
  const parts = path.split("/");
  if (path === "" || parts.some((part) => ["", ".", ".."].includes(part)) || path.includes("\0")) {
    throw new RollbackError(`Refused the path ${JSON.stringify(path)}: it is not plain`);
  }
  let folder = root;
  for (const part of parts) {
    folder = join(folder, part);
    if (posix.lstat(folder)?.isSymlink !== true) continue;
    throw new RollbackError(`Refused ${join(root, path)}: ${folder} is a symlink`, {
      hint: "Put the file itself there.",
    });
  }
  return join(root, path);
}

export function documentNow(root: string, path: string): FileState & { readonly bytes: number } {
  const bytes = readDocument(root, path);
  return { path, sha256: bytes === undefined ? null : sha256Hex(bytes), bytes: bytes?.length ?? 0 };
}

/** Its bytes; undefined where the state is that there is no such file. */
export async function documentBytes(file: FileState, store: StoreReader): Promise<Uint8Array | undefined> {
  if (file.sha256 === null) return undefined;
  if (file.text !== undefined) return new TextEncoder().encode(file.text);
  if (file.content !== undefined) return await store.readBytes(file.content, { maxBytes: MAX_BYTES });
  throw new RollbackError(`The snapshot does not have the content of ${file.path}`);
}

/**
 * Brings a document to its state, in one rename.
 * @returns whether it was changed
 * @throws {RollbackError} somebody else changed it meanwhile
 */
export async function placeDocument(root: string, file: FileState, store: StoreReader): Promise<boolean> {
  const now = documentNow(root, file.path);
  if (now.sha256 === file.sha256) return false;
  if (file.from !== undefined && now.sha256 !== file.from) {
    throw new RollbackError(`Somebody else changed ${file.path} meanwhile`, {
      hint: "Look at it, then run the command again.",
      context: { path: file.path },
    });
  }
  const path = plainPath(root, file.path);
  const bytes = await documentBytes(file, store);
  if (bytes === undefined) {
    posix.unlink(path);
    posix.syncFolder(dirname(path));
    return true;
  }
  makeFolders(dirname(path));
  const info = posix.lstat(path);
  const temporary = join(dirname(path), `.backout-${crypto.randomUUID()}.tmp`);
  const exact = info === undefined ? undefined : { owner: { uid: info.uid, gid: info.gid } };
  try {
    posix.writeNewFile(
      temporary,
      bytes,
      info === undefined ? 0o666 : (info.mode ?? 0o644) & 0o7777,
      ownOf(exact),
    );
    posix.rename(temporary, path);
  } catch (error) {
    if (posix.lstat(temporary) !== undefined) posix.unlink(temporary);
    throw error;
  }
  posix.syncFolder(dirname(path));
  return true;
}

/** Only root may give files away. */
function ownOf<T>(exact: T | undefined): T | undefined {
  return Deno.uid() === 0 ? exact : undefined;
}

/** Left by a restore that was killed. */
export function removeLeftovers(root: string, files: readonly FileState[]): void {
  for (const folder of new Set(files.map(({ path }) => dirname(join(root, path))))) {
    for (const { name, isFile } of posix.readFolder(folder) ?? []) {
      if (isFile && /^\.backout-[0-9a-f-]{36}\.tmp$/.test(name)) posix.unlink(join(folder, name));
    }
  }
}
