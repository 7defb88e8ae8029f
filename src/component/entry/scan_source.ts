/** What is in a folder (or what a file is) that becomes an entry: looked at, and refused where an entry cannot hold it. */
import { join } from "node:path";
import { RollbackVersionNotFoundError, UsageError } from "#/core/errors.ts";
import { Pacer } from "#/core/pace.ts";
import * as posix from "#/core/posix.ts";
import { attempt, lookAt } from "#/core/system_error.ts";
import { comparePaths, linkProblem } from "./entry_path.ts";
import type { EntryShape } from "./entry_tree.ts";

/** One path of a source, as `lstat` told. */
export interface SourceItem {
  /** Relative; `.` where the source is one file. */
  readonly path: string;
  readonly type: "file" | "folder" | "symlink";
  readonly mode: number;
  readonly info: Deno.FileInfo;
  /** What a symlink says. */
  readonly target?: string;
}

export interface Source {
  /** Absolute. */
  readonly path: string;
  readonly shape: EntryShape;
  /** Sorted by path. */
  readonly items: readonly SourceItem[];
}

export interface ScanOptions {
  /** Whether a path is left out, with everything below it. @default none is */
  readonly leaveOut?: (path: string) => boolean;
  readonly signal?: AbortSignal | undefined;
}

const PERMISSIONS = 0o777;
const MAX_SHOWN = 5;

/**
 * @param path absolute; a symlink to a folder stands for the folder
 * @throws {RollbackVersionNotFoundError} 40: there is nothing
 * @throws {UsageError} it holds what is no file, folder or symlink, or a symlink that leads out
 */
export async function scanSource(path: string, options: ScanOptions = {}): Promise<Source> {
  const info = statOf(path);
  if (info === undefined) {
    throw new RollbackVersionNotFoundError(`There is nothing at ${path}`, { context: { path } });
  }
  if (info.isFile) {
    const real = attempt("look at", path, () => Deno.realPathSync(path));
    return { path: real, shape: "file", items: [{ path: ".", type: "file", mode: modeOf(info), info }] };
  }
  if (!info.isDirectory) throw refused(path, [`${path} is neither a file nor a folder`]);
  const items = await walk(path, options);
  items.sort((a, b) => comparePaths(a.path, b.path));
  assertLinksStay(path, items);
  return { path, shape: "folder", items };
}

async function walk(
  root: string,
  { leaveOut = () => false, signal }: ScanOptions,
): Promise<SourceItem[]> {
  const pacer = new Pacer(signal);
  const items: SourceItem[] = [];
  const odd: string[] = [];
  const open = [""];
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    const below = folder;
    for (
      const { name } of attempt("read", join(root, below), () => posix.readFolder(join(root, below))) ?? []
    ) {
      if (pacer.due()) await pacer.rest();
      const path = below === "" ? name : `${below}/${name}`;
      if (leaveOut(path)) continue;
      const item = itemAt(root, path);
      if (item === undefined) odd.push(`${JSON.stringify(path)} (its name is not UTF-8, or it just went)`);
      else if (typeof item === "string") odd.push(`${JSON.stringify(path)} (${item})`);
      else {
        items.push(item);
        if (item.type === "folder") open.push(path);
      }
    }
  }
  if (odd.length > 0) throw refused(root, odd);
  return items;
}

/** A reason where an entry cannot hold it. */
function itemAt(root: string, path: string): SourceItem | string | undefined {
  const full = join(root, path);
  const info = lookAt(full);
  if (info === undefined) return undefined;
  const mode = modeOf(info);
  if (info.isFile) return { path, type: "file", mode, info };
  if (info.isDirectory) return { path, type: "folder", mode, info };
  if (!info.isSymlink) return "it is no file, folder or symlink";
  const target = attempt("read", full, () => linkText(full));
  return target === undefined
    ? "it says a path that is not UTF-8"
    : { path, type: "symlink", mode: 0, info, target };
}

/** What a symlink says; undefined where that is not UTF-8. */
function linkText(path: string): string | undefined {
  try {
    return Deno.readLinkSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.InvalidData) return undefined;
    throw error;
  }
}

function assertLinksStay(root: string, items: readonly SourceItem[]): void {
  const links = new Map(items.flatMap(({ path, target }) => target === undefined ? [] : [[path, target]]));
  const leaving = [...links.keys()].flatMap((path) => {
    const problem = linkProblem(path, links);
    return problem === undefined
      ? []
      : [`${JSON.stringify(path)} → ${JSON.stringify(links.get(path))} (${problem})`];
  });
  if (leaving.length > 0) throw refused(root, leaving);
}

function refused(path: string, what: readonly string[]): UsageError {
  const more = what.length > MAX_SHOWN ? `, and ${what.length - MAX_SHOWN} more` : "";
  return new UsageError(`Cannot keep ${path} as an entry: ${what.slice(0, MAX_SHOWN).join(", ")}${more}`, {
    hint:
      "An entry holds files, folders, and symlinks that stay within it. Remove the others, or leave them out with --exclude.",
    context: { path, refused: [...what] },
  });
}

function statOf(path: string): Deno.FileInfo | undefined {
  if (lookAt(path) === undefined) return undefined;
  return attempt("look at", path, () => Deno.statSync(path));
}

function modeOf({ mode }: Deno.FileInfo): number {
  return (mode ?? 0o644) & PERMISSIONS;
}

/** Whether a path has not been touched between two looks at it. */
export function isUntouched(path: string, before: Deno.FileInfo): boolean {
  const now = lookAt(path);
  return now !== undefined && now.isFile === before.isFile && now.size === before.size &&
    now.ino === before.ino &&
    now.mtime?.getTime() === before.mtime?.getTime() && now.ctime?.getTime() === before.ctime?.getTime();
}
