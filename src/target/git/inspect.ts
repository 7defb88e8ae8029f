/** What a restore would do, what differs, and a copy elsewhere. Reads only. */
import { dirname, join } from "node:path";
import { RollbackError, RollbackVersionNotFoundError } from "#/core/errors.ts";
import { makeFolders } from "#/core/output_file.ts";
import * as posix from "#/core/posix.ts";
import type { SavedTarget } from "#/store/model.ts";
import type { PlanContext, Restored, TargetChange, TargetContext, TargetPlan } from "../target.ts";
import { gitChanges, headText, pathChanges, sightsOf } from "./difference.ts";
import { openRepository, unrest } from "./git.ts";
import { fingerprintOf, type Looked } from "./look.ts";
import type { GitState, RepositoryState } from "./model.ts";
import { missingObjects, stagedPaths } from "./objects.ts";
import { exportRepository } from "./export.ts";
import { placeFiles } from "../kept/place.ts";
import { type Listing, readListing } from "./saved.ts";
import { storeProblem } from "./store_place.ts";
import { keptGitDir } from "./submodule.ts";
import {
  assertConfigFiles,
  isAskedFor,
  lookAtTarget,
  openTarget,
  savedState,
  type Target,
  type World,
} from "./world.ts";

export async function fingerprint(target: Target, context: TargetContext): Promise<string> {
  return fingerprintOf((await lookAtTarget(target, context)).state);
}

export async function plan(target: Target, saved: SavedTarget, context: PlanContext): Promise<TargetPlan> {
  const listing = await readListing(saved, context.store);
  const repository = await openTarget(target, context);
  const problem = unrest(repository);
  if (problem !== undefined) return impossible(`${problem.message}. ${problem.hint}`);
  const world = await lookAtTarget(target, context);
  const wanted = await savedState(repository, listing, saved, context);
  const { paths } = context.options;
  refuseOutside(target.name, paths, [repository.folder, ...listing.config_files.map((it) => it.path)]);
  const changes = gitChanges(world.state, wanted, repository.folder)
    .filter((it) => paths.length === 0 || (!it.path.includes("/.git/") && isAskedFor(paths, it.path)));
  const asked = (path: string) => isAskedFor(paths, path);
  return {
    changes,
    summary: summaryOf(changes, wanted.repositories[0]!),
    problems: changes.length === 0 ? [] : await problemsOf(target, world, listing, context),
    uncommitted: await uncommittedOf(world, wanted, asked),
    warnings: paths.length === 0 ? await warningsOf(world, wanted) : [],
  };
}

/** A mistyped path is not a restore in which there was nothing to do. */
function refuseOutside(name: string, paths: readonly string[], held: readonly string[]): void {
  const holds = (path: string) => held.some((it) => isAskedFor([it], path) || isAskedFor([path], it));
  if (paths.length === 0 || paths.some(holds)) return;
  throw new RollbackVersionNotFoundError(
    `${JSON.stringify(name)} does not hold ${paths.map((it) => JSON.stringify(it)).join(", ")}`,
    { hint: `It holds what is below ${held[0]}.`, context: { paths } },
  );
}

function impossible(problem: string): TargetPlan {
  return { changes: [], summary: problem, problems: [problem], uncommitted: [], warnings: [] };
}

function summaryOf(changes: readonly TargetChange[], wanted: RepositoryState): string {
  if (changes.length === 0) return "nothing to do";
  const count = (...actions: readonly TargetChange["action"][]) =>
    changes.filter((it) => actions.includes(it.action) && !it.path.includes("/.git/")).length;
  const written = count("create", "replace", "attributes");
  const removed = count("remove");
  return `git to ${headText(wanted)}: restore ${written} ${written === 1 ? "file" : "files"}${
    removed === 0 ? "" : `, remove ${removed}`
  }`;
}

async function problemsOf(
  target: Target,
  { repository, looked }: World,
  listing: Listing,
  context: PlanContext,
): Promise<readonly string[]> {
  const problems: string[] = [];
  try {
    assertConfigFiles(target, listing, context);
  } catch (error) {
    problems.push((error as RollbackError).message);
  }
  const store = await storeProblem(repository, context);
  if (store !== undefined) problems.push(`${store.message}. ${store.hint}`);
  const { branch, commit, objects } = listing.repositories[0]!;
  if (
    commit !== null && objects.packs.length === 0 && (await missingObjects(repository, [commit])).length > 0
  ) {
    problems.push(
      `commit ${commit} is no longer in ${repository.folder}, and was on a remote branch only: run git fetch`,
    );
  }
  const elsewhere = branch === null ? undefined : await checkedOutIn(repository, branch);
  if (elsewhere !== undefined) {
    problems.push(
      `${branch} is checked out in the linked work tree ${elsewhere}: check out another branch there first`,
    );
  }
  for (const { path } of listing.repositories.slice(1)) {
    if (looked.some((it) => it.state.path === path) || target.config.submodules === false) continue;
    const isDirect = looked[0]!.state.entries.some((it) => it.path === path);
    if (isDirect && await keptGitDir(repository, path) === undefined) {
      problems.push(`the submodule ${path} is gone: run git submodule update --init -- ${path}`);
    }
  }
  return problems;
}

/** The linked work tree that has a branch checked out; undefined where it is free or ours. */
async function checkedOutIn(repository: World["repository"], branch: string): Promise<string | undefined> {
  let folder = "";
  for (const line of (await repository.git.text(["worktree", "list", "--porcelain"])).split("\n")) {
    if (line.startsWith("worktree ")) folder = line.slice("worktree ".length);
    if (line === `branch ${branch}` && folder !== repository.folder) return folder;
  }
  return undefined;
}

/** Work that only lies in the work tree or the index, and that the restore would change. */
async function uncommittedOf(
  { looked }: World,
  wanted: GitState,
  isAsked: (path: string) => boolean,
): Promise<readonly string[]> {
  const lost: string[] = [];
  for (const { repository, state } of looked) {
    const after = wanted.repositories.find((it) => it.path === state.path);
    if (after === undefined) continue; // a submodule that came later is left as it is
    const path = (name: string) => join(repository.folder, name);
    const tracked = new Set(state.entries.map((it) => it.path));
    const own = new Set(state.kept.filter((it) => it.kind !== "absent").map((it) => it.path));
    const changes = pathChanges(state, after).filter((it) => isAsked(path(it.path)));
    for (const { path: name } of changes.filter((it) => own.has(it.path))) {
      lost.push(`${path(name)} (${tracked.has(name) ? "changed" : "untracked"})`);
    }
    const staged = state.commit === null ? [...tracked] : await stagedPaths(repository);
    const entry = (of: RepositoryState, name: string) =>
      of.entries.filter((it) => it.path === name).map((it) => `${it.mode} ${it.oid} ${it.stage}`).join();
    const differing = staged.filter((it) => !own.has(it) && entry(state, it) !== entry(after, it));
    lost.push(...differing.filter((it) => isAsked(path(it))).map((it) => `${path(it)} (staged)`));
    lost.push(
      ...inTheWay({ repository, state } as Looked, changes).map((it) => `${it} (ignored, and in the way)`),
    );
  }
  return lost;
}

function inTheWay({ repository, state }: Looked, changes: ReturnType<typeof pathChanges>): readonly string[] {
  const known = sightsOf(state);
  return changes.filter((it) => it.action === "create")
    .filter((it) =>
      posix.lstat(join(repository.folder, it.path))?.isDirectory === false && !known.has(it.path)
    )
    .map((it) => join(repository.folder, it.path));
}

async function warningsOf(
  { repository, looked, state }: World,
  wanted: GitState,
): Promise<readonly string[]> {
  const [now, after] = [state.repositories[0]!, wanted.repositories[0]!];
  const warnings = looked.flatMap((it) =>
    it.nested.map((name) => `${join(it.repository.folder, name)} is left as it is`)
  );
  if (now.commit === null || now.commit === after.commit) return warnings;
  const known = after.commit !== null && (await missingObjects(repository, [after.commit])).length === 0;
  const without = known ? [`^${after.commit}`] : [];
  const count = Number(await repository.git.text(["rev-list", "--count", now.commit, ...without]));
  if (count === 0) return warnings;
  const what = count === 1 ? "1 commit comes" : `${count} commits come`;
  return [
    ...warnings,
    `${what} off ${now.branch ?? "HEAD"}; refs/backout/${now.commit} keeps ${count === 1 ? "it" : "them"}`,
  ];
}

export async function diff(
  target: Target,
  from: SavedTarget,
  to: SavedTarget | undefined,
  context: PlanContext,
): Promise<readonly TargetChange[]> {
  const repository = await openTarget(target, context);
  const before = await savedState(repository, await readListing(from, context.store), from, context);
  const after = to === undefined
    ? (await lookAtTarget(target, context)).state
    : await savedState(repository, await readListing(to, context.store), to, context);
  return gitChanges(before, after, repository.folder);
}

/** A clone of its own: `repository` with all that was in the work tree, and the configuration files below `config_files`. */
export async function exportTo(saved: SavedTarget, folder: string, context: PlanContext): Promise<Restored> {
  const listing = await readListing(saved, context.store);
  const config = saved.config as { readonly repo_path?: string };
  const source = await openRepository(
    join("/", String(saved.metadata["repo_path"] ?? config.repo_path)),
    context,
  )
    .catch((error) => {
      if (error instanceof RollbackError) return undefined; // it may be gone: the snapshot has what only it had
      throw error;
    });
  const restored = await exportRepository(saved, listing, source, join(folder, "repository"), context);
  for (const file of listing.config_files.filter((it) => it.kind !== "absent")) {
    const path = file.path.slice(1);
    makeFolders(join(folder, "config_files", dirname(path)));
    const { owner: _owner, ...plain } = file;
    await placeFiles([{ ...plain, path }], join(folder, "config_files"), context.scratch, context);
  }
  return restored;
}
