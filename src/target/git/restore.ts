/**
 * Brings one repository to a saved state, whatever it is in now: objects, work tree, index, sparse checkout, HEAD and
 * its branch, in this order. Other branches, the configuration, remotes, and files that git ignores are left alone.
 */
import { join } from "node:path";
import { RollbackError } from "#/core/errors.ts";
import { removeFolder } from "#/core/output_file.ts";
import * as posix from "#/core/posix.ts";
import { syncFilesystem } from "#/core/posix_native.ts";
import type { SavedTarget } from "#/store/model.ts";
import type { RestoreContext } from "../target.ts";
import { otherChanges, pathChanges, sightsOf } from "./difference.ts";
import type { PathChange } from "../kept/compare.ts";
import { isOwnLock, LOCK_MARK, nulLines, type Repository } from "./git.ts";
import { changedPaths, look, type LookOptions } from "./look.ts";
import type { RepositoryState } from "./model.ts";
import { restoreObjects } from "./objects.ts";
import { makeRoom, placeFiles, setModes, takeAway } from "../kept/place.ts";
import { openSavedIndex, type SavedRepository } from "./saved.ts";

export interface RepositoryRestored {
  /** What it looks like now. */
  readonly state: RepositoryState;
  readonly changed: number;
  readonly removed: number;
  readonly bytes: number;
}

export interface RestoreTask {
  readonly repository: Repository;
  readonly saved: SavedRepository;
  readonly target: SavedTarget;
  readonly options: LookOptions;
  readonly context: RestoreContext;
  /** Paths below the work tree that are asked for; everything where it says yes to all. */
  readonly isAsked: (path: string) => boolean;
  /** False: the files only. */
  readonly whole: boolean;
}

export async function restoreRepository(task: RestoreTask): Promise<RepositoryRestored> {
  const { repository, context } = task;
  // What a killed restore left running ends first.
  await repository.git.change(repository.gitDir, ["version"]);
  using stage = openStage(repository);
  using _lock = holdIndex(repository, stage.path);
  const now = (await look(repository, { ...task.options, submodules: false }))[0]!.state;
  const { path: index, state: wanted } = await openSavedIndex(
    repository,
    task.saved,
    context.store,
    stage.path,
    task.target,
  );
  await restoreObjects(repository, { ...task.saved, entries: wanted.entries }, context.store, stage.path);
  const changes = pathChanges(now, wanted).filter((it) => task.isAsked(it.path));
  // They say how every other file is written.
  const isAttributes = (path: string) => /(?:^|\/)\.gitattributes$/.test(path);
  const attributes = changes.filter((it) => isAttributes(it.path));
  if (attributes.length > 0) {
    const isAsked = (path: string) => isAttributes(path) && task.isAsked(path);
    await restoreWorkTree({ ...task, isAsked }, wanted, attributes, index, stage.path);
  }
  await restoreWorkTree(task, wanted, changes, index, stage.path);
  const others = task.whole ? otherChanges(now, wanted, repository.folder) : [];
  if (task.whole && (others.length > 0 || changes.length > 0)) {
    await restoreRest(task, now, wanted, index, stage.path);
  }
  if (others.length + changes.length > 0) syncFilesystem(repository.folder);
  const removed = changes.filter((it) => it.action === "remove").length;
  const bytes = changes.reduce((sum, it) => sum + (it.bytes ?? 0), 0);
  return { state: wanted, changed: changes.length - removed + others.length, removed, bytes };
}

async function restoreWorkTree(
  { repository, context, isAsked }: RestoreTask,
  wanted: RepositoryState,
  changes: readonly PathChange[],
  index: string,
  stage: string,
): Promise<void> {
  const { git, gitDir, folder } = repository;
  takeAway(changes.filter((it) => it.action === "remove").map((it) => it.path), folder);
  const kept = new Map(wanted.kept.map((it) => [it.path, it]));
  await refresh(repository, index);
  const written = new Set(sightsOf(wanted).keys());
  const stale = (await changedPaths(repository, index)).filter((it) =>
    written.has(it) && !kept.has(it) && isAsked(it)
  );
  for (const path of stale) makeRoom(folder, path); // git would remove a whole folder that is in the way
  if (stale.length > 0) {
    await git.change(gitDir, ["checkout-index", "--force", "-z", "--stdin"], {
      index,
      stdin: nulLines(stale),
    });
  }
  const differing = new Set(changes.filter((it) => it.action !== "remove").map((it) => it.path));
  await placeFiles(wanted.kept.filter((it) => differing.has(it.path)), folder, stage, context);
  const asked = [...sightsOf(wanted)].filter(([path, it]) => it.kind === "file" && isAsked(path));
  await setModes(asked.map(([path, it]) => [path, it.mode] as const), folder, context.signal);
  for (const { path, mode } of wanted.entries) {
    if (
      mode !== "160000" || kept.has(path) || posix.lstat(join(folder, path)) !== undefined || !isAsked(path)
    ) continue;
    makeRoom(folder, path);
    posix.mkdir(join(folder, path));
  }
}

/** Brings the times in an index up to date; that something differs is no failure. */
async function refresh({ git, gitDir }: Repository, index: string): Promise<void> {
  if (posix.lstat(index) === undefined) return;
  const args = ["update-index", "-q", "--unmerged", "--refresh", "--force-write-index"];
  await git.change(gitDir, args, { index, okCodes: [0, 1] });
}

async function restoreRest(
  task: RestoreTask,
  now: RepositoryState,
  wanted: RepositoryState,
  index: string,
  stage: string,
): Promise<void> {
  const { repository, saved } = task;
  await refresh(repository, index);
  const place = join(repository.gitDir, "index");
  if (saved.index !== null) {
    posix.syncFile(index);
    posix.rename(index, place);
  } else if (posix.lstat(place) !== undefined) posix.unlink(place);
  await restoreSparse(repository, now, wanted, stage);
  await restoreHead(repository, now, wanted);
}

async function restoreSparse(
  repository: Repository,
  now: RepositoryState,
  wanted: RepositoryState,
  stage: string,
): Promise<void> {
  const { git, gitDir } = repository;
  const own = await git.maybe(["config", "--type=bool", "--get", "extensions.worktreeConfig"]) === "true";
  for (const [name, value] of Object.entries(wanted.sparse.settings)) {
    if ((now.sparse.settings[name] ?? null) === value) continue;
    const where = ["config", ...(own ? ["--worktree"] : ["--local"])];
    if (value === null) await git.change(gitDir, [...where, "--unset-all", name], { okCodes: [0, 5] });
    else await git.change(gitDir, [...where, "--replace-all", name, value]);
  }
  const { patterns } = wanted.sparse;
  if (now.sparse.patterns === patterns) return;
  const path = join(gitDir, "info/sparse-checkout");
  if (patterns === null) return posix.unlink(path);
  if (posix.lstat(join(gitDir, "info")) === undefined) posix.mkdir(join(gitDir, "info"));
  const temporary = join(stage, "sparse-checkout");
  posix.writeNewFile(temporary, new TextEncoder().encode(patterns));
  posix.rename(temporary, path);
}

async function restoreHead(
  { git, gitDir, folder }: Repository,
  now: RepositoryState,
  { branch, commit }: RepositoryState,
): Promise<void> {
  const said = ["-m", "backout: restore"];
  if (now.branch === branch && now.commit === commit) return;
  if (branch === null) {
    if (commit === null) throw new RollbackError(`The snapshot of ${folder} has neither branch nor commit`);
    await git.change(gitDir, ["update-ref", ...said, "--no-deref", "HEAD", commit]);
    return;
  }
  if (commit !== null) await git.change(gitDir, ["update-ref", ...said, branch, commit]);
  else await git.change(gitDir, ["update-ref", ...said, "-d", branch]);
  if (now.branch !== branch) await git.change(gitDir, ["symbolic-ref", ...said, "HEAD", branch]);
}

/** Git's own lock on the index, held for the whole restore: other git commands that change something refuse. */
function holdIndex({ gitDir }: Repository, stage: string): Disposable {
  const path = join(gitDir, "index.lock");
  const release = () => {
    if (isOwnLock(path)) posix.unlink(path);
  };
  release(); // of a restore that was killed
  const written = join(stage, "index.lock");
  posix.writeNewFile(written, new TextEncoder().encode(LOCK_MARK));
  try {
    posix.link(written, path);
  } finally {
    posix.unlink(written);
  }
  return { [Symbol.dispose]: release };
}

/** A folder of our own beside the index, empty at the start. */
function openStage({ gitDir }: Repository): Disposable & { readonly path: string } {
  const path = join(gitDir, "backout-restore");
  const clear = () => {
    if (posix.lstat(path) !== undefined) removeFolder(path);
  };
  clear();
  posix.mkdir(path, 0o700);
  return { path, [Symbol.dispose]: clear };
}
