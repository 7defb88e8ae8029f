/** Whether there is room for a restore, and in which portions its files are written. */
import { statfsSync } from "node:fs";
import { errorCode } from "#/core/posix.ts";
import type { TreeAction } from "./compare.ts";
import { lookAt } from "./look.ts";
import { isWithin, parentOf } from "./path.ts";

const BLOCK = 4096;
/**
 * How much is written before it is renamed into place: more at once reads the store better, and needs more room. With
 * room the next portion is written meanwhile.
 */
const ROOMY = { files: 4096, bytes: 256 << 20 };
const NARROW = { files: 16, bytes: 8 << 20 };

export interface SpacePlan {
  /** Little room: small portions, and what came later goes first. */
  readonly narrow: boolean;
  /** Why it does not fit, undefined when it does. */
  readonly problem: string | undefined;
}

/** Files whose bytes must be written. */
export function filesToWrite(actions: readonly TreeAction[]): readonly TreeAction[] {
  return actions.filter(({ kind, saved }) =>
    (kind === "create" || kind === "replace") && saved?.type === "file" && saved.link === undefined
  );
}

/** Portions of files, in their order. */
export function portions(files: readonly TreeAction[], narrow: boolean): readonly (readonly TreeAction[])[] {
  const limit = narrow ? NARROW : ROOMY;
  const all: TreeAction[][] = [];
  let bytes = Infinity;
  for (const file of files) {
    const size = room(file.saved?.size);
    if (bytes + size > limit.bytes || all.at(-1)!.length >= limit.files) {
      all.push([]);
      bytes = 0;
    }
    all.at(-1)!.push(file);
    bytes += size;
  }
  return all;
}

/** Looks at each filesystem that the roots are on. */
export function planSpace(actions: readonly TreeAction[], roots: readonly string[]): SpacePlan {
  let narrow = false;
  const problems: string[] = [];
  for (const [, places] of byFilesystem(roots)) {
    const here = actions.filter(({ path }) => places.some((it) => isWithin(path, it)));
    const free = freeBytes(places[0]!);
    if (free === undefined) continue;
    const files = filesToWrite(here);
    if (peak(files, false) <= free) continue;
    narrow = true;
    const removable = sum(here.filter((it) => it.kind === "remove"), freed);
    const needed = peak(files, true);
    if (needed <= free + removable) continue;
    problems.push(
      `not enough space for ${places[0]}: ${needed} bytes are needed, ${free + removable} are to be had`,
    );
  }
  return { narrow, problem: problems.length === 0 ? undefined : problems.join("; ") };
}

/** The most bytes that are taken beyond what is taken now. */
function peak(files: readonly TreeAction[], narrow: boolean): number {
  let taken = 0;
  let most = 0;
  let before: readonly TreeAction[] = [];
  for (const portion of portions(files, narrow)) {
    if (narrow) taken -= sum(before, freed);
    taken += sum(portion, ({ saved }) => saved?.sparse === true ? 0 : room(saved?.size));
    most = Math.max(most, taken);
    if (!narrow) taken -= sum(before, freed);
    before = portion;
  }
  return most;
}

function sum(actions: readonly TreeAction[], bytesOf: (action: TreeAction) => number): number {
  return actions.reduce((bytes, action) => bytes + bytesOf(action), 0);
}

function freed({ now }: TreeAction): number {
  return now?.type === "file" && now.nlink === 1 && now.sparse !== true ? room(now.size) : 0;
}

function room(size = 0): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

function byFilesystem(roots: readonly string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const root of roots) {
    const dev = lookAt(existing(root))?.dev ?? "";
    groups.set(dev, [...groups.get(dev) ?? [], root]);
  }
  return groups;
}

/** The path, or the nearest above it that is there. */
export function existing(path: string): string {
  let at = path;
  while (at !== "/" && lookAt(at) === undefined) at = parentOf(at);
  return at;
}

function freeBytes(path: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(existing(path));
    return bavail * bsize;
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return undefined; // this filesystem does not tell
  }
}
