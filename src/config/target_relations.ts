/** What targets are to each other: their order, and whether two of them cover the same files. Pure. */
import { nearest } from "#/core/nearest.ts";
import type { PolicyProblem } from "#/policy/problem.ts";
import type { ReadTarget } from "#/config/targets.ts";

interface Ordered {
  readonly name: string;
  readonly after: readonly string[];
}

/** `after` names targets, and never goes round in a circle. */
export function orderProblems(targets: readonly Ordered[]): readonly PolicyProblem[] {
  const names = targets.map(({ name }) => name);
  const unknown = targets.flatMap(({ name, after }) =>
    after.filter((it) => !names.includes(it)).map((it): PolicyProblem => {
      const near = nearest(it, names.filter((other) => other !== name));
      return {
        path: ["targets", name, "after"],
        message: `targets.${name}.after names ${JSON.stringify(it)}, which is not a target`,
        hint: near === undefined
          ? `Targets are ${names.join(", ")}.`
          : `Did you mean ${JSON.stringify(near)}?`,
      };
    })
  );
  if (unknown.length > 0) return unknown;
  const circle = circleOf(targets);
  if (circle === undefined) return [];
  return [{
    path: ["targets", circle[0]!, "after"],
    message: `targets wait for each other: ${circle.join(" after ")}`,
    hint: "Take one of these `after` out.",
  }];
}

/** `a, b, a` where a waits for b and b for a; undefined where there is no circle. */
function circleOf(targets: readonly Ordered[]): readonly string[] | undefined {
  const after = new Map(targets.map((target) => [target.name, target.after]));
  const finished = new Set<string>();
  const visit = (name: string, way: readonly string[]): readonly string[] | undefined => {
    const from = way.indexOf(name);
    if (from >= 0) return [...way.slice(from), name];
    if (finished.has(name)) return undefined;
    for (const next of after.get(name) ?? []) {
      const circle = visit(next, [...way, name]);
      if (circle !== undefined) return circle;
    }
    finished.add(name);
    return undefined;
  };
  for (const { name } of targets) {
    const circle = visit(name, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

/** Where paths lead. */
export interface RealPaths {
  /** With the folder free of symlinks; what the path names itself may be one. */
  readonly placeOf: (path: string) => string;
  readonly realPath: (path: string) => string;
}

interface Covered {
  readonly target: string;
  readonly path: string;
  /** Without symlinks. */
  readonly real: string;
  /** Where it stands in the file. */
  readonly at: readonly (string | number)[];
  /** What lies below the path is covered, too: all of it, or without what is ignored or excluded. */
  readonly below: "all" | "some";
}

/** Of which keys each kind covers everything below. What is not here covers no files, or says so itself. */
const COVERING: Readonly<Record<string, readonly string[]>> = {
  configuration: ["config_files"],
  file_system: ["paths"],
  git_commit: ["repo_path", "config_files"],
  infrastructure: ["path"],
  container: ["compose_files", "env_files", "config_files", "bind_mounts"],
};

/**
 * Two targets that cover the same file would restore it twice, maybe to two states. A path inside another one is fine
 * where the outer target leaves something out (`exclude`), or is a git repository (which leaves out what it ignores).
 * Backout's own files are left out by every kind; a target that lies in them would hold nothing.
 */
export function overlapProblems(
  targets: readonly ReadTarget[],
  own: readonly string[],
  paths: RealPaths = { placeOf: (path) => path, realPath: (path) => path },
): readonly PolicyProblem[] {
  const covered = targets.flatMap((target) => coveredBy(target, paths));
  const between = covered.flatMap((one, i) =>
    covered.slice(i + 1).flatMap((other) => one.target === other.target ? [] : overlap(one, other))
  );
  const withinOwn = covered.flatMap((one) =>
    own.filter((folder) => contains(folder, one.path) || contains(paths.realPath(folder), one.real)).slice(
      0,
      1,
    ).map((folder): PolicyProblem => ({
      path: one.at,
      message: `${one.at.join(".")} lies in backout's own files in ${folder}`,
      hint: "Name what is to be kept: what backout keeps itself is no part of a rollback point.",
    }))
  );
  return [...between, ...withinOwn];
}

function coveredBy({ spec, input }: ReadTarget, { placeOf, realPath }: RealPaths): readonly Covered[] {
  const excludes = input.exclude;
  const leavesOut = Array.isArray(excludes) && excludes.length > 0;
  return (COVERING[spec.type] ?? []).flatMap((key) => {
    const value = input[key];
    const named: readonly unknown[] = Array.isArray(value) ? value : [value];
    // Of files and folders a symlink is kept as such; a repository or a working folder is what it leads to.
    const realOf = key === "repo_path" || key === "path" ? realPath : placeOf;
    const below = key === "repo_path" || leavesOut ? "some" as const : "all" as const;
    return named.flatMap((path, i) => {
      if (typeof path !== "string") return [];
      const at = ["targets", spec.name, key, ...Array.isArray(value) ? [i] : []];
      const real = realOf(trimmed(path));
      return [{ target: spec.name, path: trimmed(path), real, at, below }];
    });
  });
}

function overlap(one: Covered, other: Covered): readonly PolicyProblem[] {
  const overlaps = (a: string, b: string) =>
    a === b || one.below === "all" && contains(a, b) || other.below === "all" && contains(b, a);
  const named = overlaps(one.path, other.path);
  if (!named && !overlaps(one.real, other.real)) return [];
  return [{
    path: other.at,
    message: `${other.at.join(".")} (${other.path}) overlaps ${one.at.join(".")} (${one.path})${
      named ? "" : " through a symlink"
    }: a restore would write it twice`,
    hint: "Leave it to one of the two targets: take it out here, or `exclude` it from the other.",
  }];
}

function contains(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
}

function trimmed(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, "") || "/" : path;
}
