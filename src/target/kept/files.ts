/** Files that are kept as they lie there: looked at, stored, and put back. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { digestFiles } from "#/core/digest.ts";
import { RollbackBackupError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import type { StoreWriter } from "#/store/store.ts";
import type { KeptFile } from "./model.ts";

/**
 * What lies at the paths below a folder, in their order. What is neither file nor symlink counts as absent.
 * @throws {RollbackBackupError} one of them cannot be read, or changes all the time
 */
export async function describeFiles(
  names: readonly string[],
  folder: string,
  signal: AbortSignal,
): Promise<readonly KeptFile[]> {
  const files: KeptFile[] = names.map((path) =>
    isReached(folder, path) ? describe(path, join(folder, path)) : { path, kind: "absent" }
  );
  const hashed = files.filter((it) => it.kind === "file" && it.size! > 0);
  const digests = new Map<string, { sha256: string; size: number }>();
  for (
    const [index, digest] of (await digestFiles(hashed.map((it) => join(folder, it.path)), { signal }))
      .entries()
  ) {
    digests.set(hashed[index]!.path, digest);
  }
  return files.map((it) => {
    const digest = digests.get(it.path);
    return digest === undefined ? it : { ...it, sha256: digest.sha256, size: digest.size };
  });
}

const EMPTY = createHash("sha256").digest("hex");

function describe(path: string, full: string): KeptFile {
  const info = posix.lstat(full);
  if (info?.isSymlink) return { path, kind: "symlink", target: Deno.readLinkSync(full) };
  if (info === undefined || !info.isFile) return { path, kind: "absent" };
  return {
    path,
    kind: "file",
    mode: info.mode! & 0o7777,
    size: info.size,
    ...(info.size === 0 ? { sha256: EMPTY } : {}),
  };
}

/** True when only real folders are on the way to a path below a folder: what is behind a symlink is not ours. */
export function isReached(folder: string, path: string): boolean {
  if (folder === "/") return true; // a configuration file is where its owner says
  let at = folder;
  for (const segment of path.split("/").slice(0, -1)) {
    at = join(at, segment);
    if (posix.lstat(at)?.isDirectory !== true) return false;
  }
  return true;
}

/** Files outside of the repository, with their owners. */
export async function describeConfigFiles(
  names: readonly string[],
  signal: AbortSignal,
): Promise<readonly KeptFile[]> {
  return (await describeFiles(names, "/", signal)).map((it) => {
    const info = posix.lstat(it.path);
    return it.kind !== "file" || info === undefined
      ? it
      : { ...it, owner: [info.uid ?? 0, info.gid ?? 0] as const };
  });
}

/**
 * Adds the contents to the store; files come back with where their content is.
 * @throws {RollbackBackupError} one of them vanished, changed, or cannot be read
 */
export async function storeFiles(
  kept: readonly KeptFile[],
  folder: string,
  writer: StoreWriter,
  signal: AbortSignal,
): Promise<readonly KeptFile[]> {
  const files = kept.filter((it) => it.kind === "file");
  const asked = files.map((it) => ({ path: join(folder, it.path), size: it.size! }));
  const stored = await writer.addFiles(asked, { signal });
  const contents = new Map<string, KeptFile>();
  for (const [index, file] of files.entries()) {
    const result = stored[index]!;
    const path = join(folder, file.path);
    if (result.kind === "unreadable") {
      throw new RollbackBackupError(`Cannot keep ${path}: ${result.reason}`, { context: { path } });
    }
    if (
      result.kind !== "stored" || result.content.size !== file.size ||
      !isSame(result.content.sha256, file.sha256)
    ) {
      throw new FileMovedError(path);
    }
    contents.set(file.path, { ...file, content: result.content });
  }
  return kept.map((it) => contents.get(it.path) ?? it);
}

function isSame(stored: string | undefined, seen: string | undefined): boolean {
  return stored === undefined || stored === seen;
}

/** A file was changed while it was captured: another try may do. */
export class FileMovedError extends RollbackBackupError {
  constructor(path: string) {
    super(`Cannot keep ${path}: it was changed while it was read`, {
      hint: "Stop what writes to it, or leave it out (git can ignore it), then run the command again.",
      context: { path, changed: true },
    });
  }
}
