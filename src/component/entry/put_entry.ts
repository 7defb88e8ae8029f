/** Puts an entry into a folder: all of it, or nothing. What was there is replaced only where that was asked for. */
import { basename, dirname, join } from "node:path";
import { RollbackError, UsageError } from "#/core/errors.ts";
import { makeFolders } from "#/core/output_file.ts";
import * as posix from "#/core/posix.ts";
import { sha256Hex } from "#/core/sha256.ts";
import { attempt, lookAt } from "#/core/system_error.ts";
import type { SnapshotManifest } from "#/store/model.ts";
import type { StoreReader } from "#/store/store.ts";
import { treeOfSource } from "./add_entry.ts";
import { viewOf } from "./entry.ts";
import { entryHash } from "./entry_tree.ts";
import { scanSource } from "./scan_source.ts";
import { stageEntry, type StageOptions } from "./stage_entry.ts";
import { removeStaged, swapIn, type SwapPaths } from "./swap.ts";

export interface PutOptions extends StageOptions {
  /** Whether what is at the target goes. @default false: only an empty folder, or the same content, may be there */
  readonly replace?: boolean;
}

export type Put = "written" | "replaced" | "already there";

const STAGED = /^\.backout-new-[0-9a-f-]{36}$/;
/** A staged folder that is older than this was left by a process that was killed, in milliseconds. */
const LEFT_MS = 24 * 3_600_000;

/**
 * @param target absolute; the folders above it are made
 * @throws {UsageError} something else is at the target
 * @throws {IntegrityError} 54: something of the entry is damaged; the target is as it was
 */
export async function putEntry(
  store: StoreReader,
  manifest: SnapshotManifest,
  target: string,
  options: PutOptions = {},
): Promise<Put> {
  attempt("create the folder of", target, () => makeFolders(dirname(target)));
  const paths = pathsFor(target);
  settleEarlier(paths);
  const info = lookAt(target);
  if (info !== undefined) {
    if (await isSame(target, viewOf(manifest).hash, options.signal)) return "already there";
    if (options.replace !== true) assertMayGo(target, info);
  }
  try {
    await stageEntry(store, manifest, paths.staged, options);
    swapOrPutBack({ ...paths, replaces: info !== undefined, durable: options.durable ?? true });
  } finally {
    removeStaged(paths.staged);
  }
  removeStaged(paths.old);
  return info === undefined ? "written" : "replaced";
}

/** What cannot be put into its place leaves what was there where it was. */
function swapOrPutBack(paths: SwapPaths): void {
  try {
    swapIn(paths);
  } catch (error) {
    const { target, old } = paths;
    if (lookAt(target) === undefined && lookAt(old) !== undefined) {
      attempt("put back", target, () => posix.rename(old, target));
    }
    throw error;
  }
}

/** Names beside the target, short ones, and the second the same for every process, so that the next one finds it. */
function pathsFor(target: string): Pick<SwapPaths, "target" | "staged" | "old"> {
  const folder = dirname(target);
  const mark = sha256Hex(basename(target)).slice(0, 16);
  return {
    target,
    staged: join(folder, `.backout-new-${crypto.randomUUID()}`),
    old: join(folder, `.backout-old-${mark}`),
  };
}

/** What a process left that was killed in the middle: the state before comes back, or the rest of it goes. */
function settleEarlier({ target, old }: Pick<SwapPaths, "target" | "old">): void {
  attempt("put back", target, () => {
    if (posix.lstat(old) !== undefined) {
      if (posix.lstat(target) === undefined) posix.rename(old, target);
      else removeStaged(old);
    }
    for (const { name } of posix.readFolder(dirname(target)) ?? []) {
      if (!STAGED.test(name)) continue;
      const path = join(dirname(target), name);
      const changed = posix.lstat(path)?.mtime?.getTime() ?? Date.now();
      if (Date.now() - changed > LEFT_MS) removeStaged(path);
    }
  });
}

async function isSame(target: string, hash: string, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    return entryHash(await treeOfSource(await scanSource(target, { signal }), signal)) === hash;
  } catch (error) {
    if (signal?.aborted === true || !(error instanceof RollbackError)) throw error;
    return false; // it holds what no entry can hold, or goes on changing
  }
}

function assertMayGo(target: string, info: Deno.FileInfo): void {
  if (info.isDirectory && attempt("read", target, () => posix.readFolder(target))?.length === 0) return;
  throw new UsageError(`Cannot write to ${target}: there is something else already`, {
    hint: "Give another --target, or --replace to let what is there go.",
    context: { target },
  });
}
