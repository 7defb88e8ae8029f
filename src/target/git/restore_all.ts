/** Brings a repository, its submodules and its configuration files to a saved state. */
import { join } from "node:path";
import type { SavedTarget } from "#/store/model.ts";
import type { RestoreContext, Restored } from "../target.ts";
import * as posix from "#/core/posix.ts";
import { keptChanges } from "../kept/compare.ts";
import { linksOf, missingLinks } from "./difference.ts";
import { assertAtRest, type Repository } from "./git.ts";
import { describeConfigFiles } from "../kept/files.ts";
import type { RepositoryState } from "./model.ts";
import { placeFiles, removeEmptyFolders } from "../kept/place.ts";
import { restoreRepository } from "./restore.ts";
import { type Listing, readListing } from "./saved.ts";
import { detachSubmodule, openSubmodule } from "./submodule.ts";
import { assertConfigFiles, isAskedFor, openTarget, optionsOf, type Target } from "./world.ts";

export async function restore(
  target: Target,
  saved: SavedTarget,
  context: RestoreContext,
): Promise<Restored> {
  const listing = await readListing(saved, context.store);
  assertConfigFiles(target, listing, context);
  const outer = await openTarget(target, context);
  assertAtRest(outer);
  const { paths } = context.options;
  const total = { changed: 0, removed: 0, bytes: 0 };
  const opened = new Map<string, Repository>();
  for (const it of listing.repositories) {
    if (it.path !== "" && target.config.submodules === false) continue;
    const repository = it.path === "" ? outer : await openInner(opened, it.path);
    opened.set(it.path, repository);
    const isAsked = (path: string) => isAskedFor(paths, join(repository.folder, path));
    const options = optionsOf(target.config);
    const whole = paths.length === 0;
    const done = await restoreRepository({
      repository,
      saved: it,
      target: saved,
      options,
      context,
      isAsked,
      whole,
    });
    total.changed += done.changed;
    total.removed += done.removed;
    total.bytes += done.bytes;
    if (whole && options.submodules) {
      total.removed += await detachOthers(repository, it.path, done.state, listing, context);
    }
  }
  await restoreConfigFiles(listing, context, total);
  const { commit, branch } = listing.repositories[0]!;
  return {
    method: "git_reset",
    ...total,
    details: { commit_hash: commit, branch: branch?.replace(/^refs\/heads\//, "") ?? null },
    warnings: [],
  };
}

/** Submodules that were not checked out when the snapshot was made. */
async function detachOthers(
  repository: Repository,
  path: string,
  state: RepositoryState,
  listing: Listing,
  context: RestoreContext,
): Promise<number> {
  let removed = 0;
  for (const link of linksOf(state)) {
    if (listing.repositories.some((it) => it.path === join(path, link))) continue;
    removed += await detachSubmodule(repository, link, context.warn);
    const folder = join(repository.folder, link);
    if (missingLinks(state).has(link) && posix.lstat(folder) !== undefined) removeEmptyFolders(folder);
  }
  return removed;
}

/** In the innermost repository that was opened before it. */
function openInner(opened: ReadonlyMap<string, Repository>, path: string): Promise<Repository> {
  const outside = [...opened.keys()].filter((it) => it === "" || path.startsWith(`${it}/`))
    .sort((a, b) => b.length - a.length)[0]!;
  return openSubmodule(opened.get(outside)!, outside === "" ? path : path.slice(outside.length + 1));
}

async function restoreConfigFiles(
  listing: Listing,
  context: RestoreContext,
  total: { changed: number; removed: number; bytes: number },
): Promise<void> {
  const now = await describeConfigFiles(listing.config_files.map((it) => it.path), context.signal);
  const changes = keptChanges(now, listing.config_files).filter((it) =>
    isAskedFor(context.options.paths, it.path)
  );
  const differing = new Set(changes.map((it) => it.path));
  const files = listing.config_files.filter((it) => differing.has(it.path));
  await placeFiles(files, "/", context.scratch, context);
  const removed = files.filter((it) => it.kind === "absent").length;
  total.removed += removed;
  total.changed += files.length - removed;
  total.bytes += files.reduce((sum, it) => sum + (it.size ?? 0), 0);
}
