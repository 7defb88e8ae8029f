/** What a target covers: paths and globs of its configuration, and what they lead to now. */
import { resolve } from "node:path";
import picomatch from "picomatch";
import { readFolder } from "#/core/posix.ts";
import { isLeftover, isRootLeftover, temporaryForRoot } from "./leftover.ts";
import { lookAt } from "./look.ts";
import { childOf, isWithin, nameOf, outermost } from "./path.ts";

export interface Coverage {
  /** Absolute paths that were named as they are. */
  readonly literal: readonly string[];
  /** Absolute globs. */
  readonly globs: readonly string[];
}

/** @param folder where relative paths start */
export function coverageOf(paths: readonly string[], folder: string, globsToo: boolean): Coverage {
  const isGlob = (path: string) => globsToo && picomatch.scan(path).isGlob;
  return {
    literal: paths.filter((it) => !isGlob(it)).map((it) => resolve(folder, it)),
    globs: paths.filter(isGlob).map((it) => resolve(folder, it)),
  };
}

/** Whether a path is covered: named, matched, or below such a one. */
export function covers(coverage: Coverage): (path: string) => boolean {
  const matchers = coverage.globs.map((glob) => ({
    base: baseOf(glob),
    matches: picomatch(glob, { dot: true }),
  }));
  return (path) => {
    if (coverage.literal.some((it) => isWithin(path, it))) return true;
    return matchers.some(({ base, matches }) => {
      for (
        let at = path;
        at.length > base.length && isWithin(at, base);
        at = at.slice(0, at.lastIndexOf("/"))
      ) {
        if (matches(at)) return true;
      }
      return false;
    });
  };
}

/** The literal paths and what the globs match now; none within another. */
export function rootsOf(coverage: Coverage): readonly string[] {
  return outermost([...coverage.literal, ...coverage.globs.flatMap(expand)]);
}

/** What a glob matches; symlinks are matched, never followed. */
function expand(glob: string): readonly string[] {
  const matches = picomatch(glob, { dot: true });
  return walkGlob(glob, (path) => matches(path) && !isLeftover(nameOf(path)));
}

/** What an interrupted restore left beside the roots, or beside what the globs matched once. */
export function leftoversBeside(roots: readonly string[], globs: readonly string[]): readonly string[] {
  const found = roots.map((it) => temporaryForRoot(it, globs)).filter((it) => lookAt(it) !== undefined);
  for (const glob of globs) found.push(...walkGlob(glob, (path) => isRootLeftover(nameOf(path), globs)));
  return outermost(found);
}

/** Everything in the folders that a glob can match in, which is wanted; a folder that is wanted is not entered. */
function walkGlob(glob: string, wanted: (path: string) => boolean): readonly string[] {
  const deepest = glob.includes("**") ? Infinity : glob.split("/").length;
  const found: string[] = [];
  const visit = (folder: string, depth: number) => {
    for (const entry of readFolder(folder) ?? []) {
      const path = childOf(folder, entry.name);
      if (wanted(path)) found.push(path);
      else if (entry.isDirectory && depth < deepest) visit(path, depth + 1);
    }
  };
  const base = baseOf(glob);
  visit(base, base === "/" ? 1 : base.split("/").length);
  return found;
}

/** The folder that holds everything that a glob can match. */
function baseOf(glob: string): string {
  const { base } = picomatch.scan(glob);
  return base === "" ? "/" : base;
}
