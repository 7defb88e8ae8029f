/** Compares two states of a repository: what a restore does, and what `diff` shows. Pure. */
import { join } from "node:path";
import type { TargetChange } from "../target.ts";
import { usualMode } from "./look.ts";
import { isSameContent, keptChanges, type PathChange, type Sight, sightOf } from "../kept/compare.ts";
import type { GitState, RepositoryState } from "./model.ts";

/** Every path that git checks out or that was kept, with what is there. */
export function sightsOf(state: RepositoryState): ReadonlyMap<string, Sight> {
  const sights = new Map<string, Sight>();
  for (const { path, mode, oid, stage, skipWorktree } of state.entries) {
    if (stage !== 0 || skipWorktree || mode === "160000") continue;
    const isLink = mode === "120000";
    const bits = isLink ? 0 : state.modes[path] ?? usualMode(mode);
    const kind = isLink ? "symlink" : "file";
    sights.set(path, { kind, mode: bits, oid, sha256: undefined, target: undefined, size: undefined });
  }
  for (const kept of state.kept) {
    if (kept.kind === "absent") sights.delete(kept.path);
    else sights.set(kept.path, sightOf(kept));
  }
  return sights;
}

/** Paths of the work tree that are to be changed to come from one state to another, sorted. */
export function pathChanges(from: RepositoryState, to: RepositoryState): readonly PathChange[] {
  const [before, after] = [sightsOf(from), sightsOf(to)];
  const changes: PathChange[] = [];
  for (const path of new Set([...before.keys(), ...after.keys()])) {
    const [a, b] = [before.get(path), after.get(path)];
    const bytes = b?.size === undefined ? {} : { bytes: b.size };
    if (b === undefined) changes.push({ action: "remove", path });
    else if (a === undefined) changes.push({ action: "create", path, ...bytes });
    else if (!isSameContent(a, b)) changes.push({ action: "replace", path, ...bytes });
    else if (a.mode !== b.mode) changes.push({ action: "attributes", path });
  }
  return changes.sort((a, b) => a.path < b.path ? -1 : 1);
}

/** Differences of the rest: HEAD, branch, index, sparse checkout. Paths are absolute; refs are their names. */
export function otherChanges(
  from: RepositoryState,
  to: RepositoryState,
  folder: string,
): readonly TargetChange[] {
  const changes: TargetChange[] = [];
  if (from.branch !== to.branch || from.commit !== to.commit) {
    changes.push({
      action: "replace",
      path: join(folder, ".git/HEAD"),
      detail: `${headText(from)} → ${headText(to)}`,
    });
  }
  if (from.indexDigest !== to.indexDigest) {
    changes.push({ action: "replace", path: join(folder, ".git/index"), detail: "what is staged" });
  }
  if (!isSameSparse(from, to)) {
    changes.push({
      action: "replace",
      path: join(folder, ".git/info/sparse-checkout"),
      detail: "what is checked out",
    });
  }
  const [before, after] = [missingLinks(from), missingLinks(to)];
  for (const path of linksOf(to)) {
    if (before.has(path) === after.has(path)) continue;
    changes.push({
      action: after.has(path) ? "remove" : "create",
      path: join(folder, path),
      detail: "folder of a submodule",
    });
  }
  return changes;
}

/** Where submodules are, in the index. */
export function linksOf(state: RepositoryState): readonly string[] {
  return state.entries.filter((it) => it.mode === "160000").map((it) => it.path);
}

/** Submodules whose folder is not even there. */
export function missingLinks(state: RepositoryState): ReadonlySet<string> {
  const links = new Set(linksOf(state));
  return new Set(state.kept.filter((it) => it.kind === "absent" && links.has(it.path)).map((it) => it.path));
}

export function isSameSparse(a: RepositoryState, b: RepositoryState): boolean {
  return a.sparse.patterns === b.sparse.patterns &&
    [...new Set([...Object.keys(a.sparse.settings), ...Object.keys(b.sparse.settings)])]
      .every((it) => (a.sparse.settings[it] ?? null) === (b.sparse.settings[it] ?? null));
}

/** `main 1a2b3c4d5e6f`, `detached 1a2b…`, `main unborn` */
export function headText({ branch, commit }: Pick<RepositoryState, "branch" | "commit">): string {
  const name = branch?.replace(/^refs\/heads\//, "") ?? "detached";
  return `${name} ${commit?.slice(0, 12) ?? "unborn"}`;
}

/** Everything that differs, as people see it. A repository that one side lacks (a submodule) is one line. */
export function gitChanges(from: GitState, to: GitState, root: string): readonly TargetChange[] {
  const changes: TargetChange[] = [];
  for (const after of to.repositories) {
    const folder = join(root, after.path);
    const before = from.repositories.find((it) => it.path === after.path);
    if (before === undefined) {
      changes.push({ action: "create", path: folder, detail: `submodule at ${headText(after)}` });
      continue;
    }
    changes.push(...otherChanges(before, after, folder));
    changes.push(...pathChanges(before, after).map((it) => ({ ...it, path: join(folder, it.path) })));
  }
  const links = new Set(to.repositories.flatMap((it) => linksOf(it).map((link) => join(it.path, link))));
  for (const { path } of from.repositories) {
    if (!links.has(path) || to.repositories.some((it) => it.path === path)) continue;
    changes.push({ action: "remove", path: join(root, path), detail: "work tree of a submodule" });
  }
  changes.push(...keptChanges(from.configFiles, to.configFiles));
  return changes;
}
