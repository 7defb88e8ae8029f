/** Which moves can be done by renaming a whole folder: one that holds exactly the files that move, and nothing else. */
import * as posix from "#/core/posix.ts";
import { attempt, lookAt } from "#/core/system_error.ts";
import type { FilesystemTree } from "./tree.ts";
import { isOwnFolder } from "#/storage/key.ts";
import type { ObjectStat } from "#/storage/object_store.ts";

export interface Relocation {
  readonly from: string;
  readonly to: string;
  readonly expected?: ObjectStat;
}

export interface FolderMove {
  readonly from: string;
  readonly to: string;
  /** The moves that it does, with what was seen at their sources. */
  readonly files: ReadonlyMap<Relocation, Deno.FileInfo>;
}

export interface MovePlan {
  readonly folders: readonly FolderMove[];
  readonly files: readonly Relocation[];
}

/** Finds the topmost folders that can move as one; the rest moves file by file. */
export function planMoves(tree: FilesystemTree, moves: readonly Relocation[]): MovePlan {
  const folders: FolderMove[] = [];
  const files: Relocation[] = [];
  const open: { readonly moves: readonly Relocation[]; readonly depth: number }[] = [{ moves, depth: 1 }];
  for (let group = open.pop(); group !== undefined; group = open.pop()) {
    for (const [folder, below] of groupByFolder(group.moves, group.depth)) {
      if (folder === undefined) {
        files.push(...below);
        continue;
      }
      const found = wholeFolder(tree, folder, below);
      if (found !== undefined) folders.push(found);
      else open.push({ moves: below, depth: group.depth + 1 });
    }
  }
  return { folders, files };
}

/** By the first `depth` parts of `from`; undefined collects the files that have no more parts than that. */
function groupByFolder(
  moves: readonly Relocation[],
  depth: number,
): ReadonlyMap<string | undefined, Relocation[]> {
  const groups = new Map<string | undefined, Relocation[]>();
  for (const move of moves) {
    const parts = move.from.split("/");
    const folder = parts.length <= depth ? undefined : parts.slice(0, depth).join("/");
    const group = groups.get(folder);
    if (group === undefined) groups.set(folder, [move]);
    else group.push(move);
  }
  return groups;
}

function wholeFolder(
  tree: FilesystemTree,
  folder: string,
  moves: readonly Relocation[],
): FolderMove | undefined {
  if (isOwnFolder(folder)) return undefined;
  const to = commonTarget(folder, moves);
  if (to === undefined || to === "" || isOwnFolder(to)) return undefined;
  if (to === folder || to.startsWith(folder + "/")) return undefined;
  if (lookAt(tree.path(to)) !== undefined) return undefined;
  const files = exactContents(tree, folder, moves);
  return files === undefined ? undefined : { from: folder, to, files };
}

/** The folder that all files below `folder` move to with their relative paths unchanged. */
function commonTarget(folder: string, moves: readonly Relocation[]): string | undefined {
  let target: string | undefined;
  for (const { from, to } of moves) {
    const rest = from.slice(folder.length);
    if (!to.endsWith(rest)) return undefined;
    const here = to.slice(0, to.length - rest.length);
    if (target !== undefined && here !== target) return undefined;
    target = here;
  }
  return target;
}

/** What is in the folder, when that is exactly the sources of the moves: regular files with one link each. */
function exactContents(
  tree: FilesystemTree,
  folder: string,
  moves: readonly Relocation[],
): ReadonlyMap<Relocation, Deno.FileInfo> | undefined {
  const bySource = new Map(moves.map((move) => [move.from, move]));
  const found = new Map<Relocation, Deno.FileInfo>();
  const walk = (key: string): boolean => {
    const path = tree.path(key);
    const entries = attempt("list", path, () => posix.readFolder(path)) ?? [];
    if (entries.length === 0) return false; // an empty folder is nobody's artifact
    return entries.every((entry) => {
      const child = `${key}/${entry.name}`;
      if (entry.isDirectory) return walk(child);
      const move = bySource.get(child);
      const info = move === undefined ? undefined : lookAt(`${path}/${entry.name}`);
      if (move === undefined || info?.isFile !== true || (info.nlink ?? 1) > 1) return false;
      found.set(move, info);
      return true;
    });
  };
  return walk(folder) && found.size === moves.length ? found : undefined;
}
