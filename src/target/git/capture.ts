/** Stores what a repository looks like. */
import { join } from "node:path";
import { RollbackError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import type { ContentRef, SavedTarget } from "#/store/model.ts";
import { backupError } from "../program_error.ts";
import type { CaptureContext, Captured } from "../target.ts";
import type { Repository } from "./git.ts";
import { FileMovedError, storeFiles } from "../kept/files.ts";
import { fingerprintOf, type Looked, readHead, readIndex } from "./look.ts";
import { saveObjects, stagedPaths } from "./objects.ts";
import { contentsOf, type Listing, readListing, type SavedRepository, writeListing } from "./saved.ts";
import { storeProblem } from "./store_place.ts";
import { lookAtTarget, type Target, type World } from "./world.ts";

/** How often a repository that changes while it is read is read again. */
const TRIES = 3;

export async function capture(target: Target, context: CaptureContext): Promise<Captured> {
  const warnings: string[] = [];
  for (let tries = 1;; tries++) {
    try {
      return await captureOnce(target, context, warnings);
    } catch (error) {
      if (!(error instanceof FileMovedError) || tries === TRIES) throw backupError(error);
      warnings.push(`${error.message}; it was read again`);
    }
  }
}

async function captureOnce(
  target: Target,
  context: CaptureContext,
  warnings: readonly string[],
): Promise<Captured> {
  const world = await lookAtTarget(target, context);
  const { repository, looked, state } = world;
  const problem = await storeProblem(repository, context);
  if (problem !== undefined) throw new RollbackError(problem.message, { hint: problem.hint });
  const previous = await previousListing(context.previous, context);
  const repositories: SavedRepository[] = [];
  for (const it of looked) {
    repositories.push(
      await saveRepository(it, previous?.repositories.find((p) => p.path === it.state.path), context),
    );
  }
  const configFiles = await storeFiles(state.configFiles, "/", context.writer, context.signal);
  for (const it of looked) await assertUnchanged(it);
  const listing: Listing = { format: 1, repositories, config_files: configFiles };
  const content = await writeListing(listing, context.writer);
  const contents = [content, ...contentsOf(listing)];
  const nested = looked.flatMap(({ repository, nested }) => nested.map((it) => join(repository.folder, it)));
  return {
    method: "git_commit",
    metadata: await metadataOf(world),
    state: { listing: { ...content } },
    roots: distinct(contents).map((it) => ({ kind: "content", content: it })),
    fingerprint: fingerprintOf(state),
    files: looked.reduce((sum, it) => sum + it.state.kept.length, configFiles.length),
    bytes: contents.reduce((sum, it) => sum + it.size, 0),
    warnings: [
      ...warnings,
      ...otherBranch(target, world),
      ...nested.map((it) => `${it} is a repository of its own inside of this one, and not kept`),
    ],
  };
}

/** Not refused: the state before a restore is kept by a capture too, whatever the change has checked out. */
function otherBranch({ config, name }: Target, { state }: World): readonly string[] {
  const { branch } = state.repositories[0]!;
  const wanted = config.branch?.replace(/^refs\/heads\//, "");
  const actual = branch?.replace(/^refs\/heads\//, "") ?? "a detached HEAD";
  return wanted === undefined || wanted === actual
    ? []
    : [`${name}: ${actual} is checked out, not ${wanted}`];
}

async function previousListing(
  previous: SavedTarget | undefined,
  context: CaptureContext,
): Promise<Listing | undefined> {
  if (previous === undefined || previous.type !== "git_commit") return undefined;
  try {
    return await readListing(previous, context.store);
  } catch (error) {
    context.warn(`The last snapshot cannot be built upon: ${(error as Error).message}`);
    return undefined;
  }
}

async function saveRepository(
  { repository, state }: Looked,
  previous: SavedRepository | undefined,
  context: CaptureContext,
): Promise<SavedRepository> {
  const objects = await saveObjects(repository, state, previous, context);
  const kept = await storeFiles(state.kept, repository.folder, context.writer, context.signal);
  const { entries: _entries, ...rest } = state;
  return { ...rest, kept, objects, ...await saveIndex(repository, context) };
}

async function saveIndex(
  repository: Repository,
  context: CaptureContext,
): Promise<{ readonly index: ContentRef | null; readonly index_time: number }> {
  const path = join(repository.gitDir, "index");
  const info = posix.lstat(path);
  if (info === undefined) return { index: null, index_time: 0 };
  let bytes = await Deno.readFile(path);
  if (bytes.length === 0) throw new FileMovedError(path);
  if ((posix.readFolder(repository.gitDir) ?? []).some((it) => it.name.startsWith("sharedindex."))) {
    bytes = await wholeIndex(repository, bytes, context.scratch);
  }
  const index_time = Math.floor((info.mtime?.getTime() ?? 0) / 1000);
  return { index: await context.writer.addBytes(bytes), index_time };
}

/** A split index refers to another file; as one it does not. */
async function wholeIndex(
  repository: Repository,
  bytes: Uint8Array,
  scratch: string,
): Promise<Uint8Array<ArrayBuffer>> {
  // It has to lie where the other file is.
  const index = join(scratch, `split-${crypto.randomUUID()}`);
  posix.writeNewFile(index, bytes);
  await repository.git.run(["update-index", "--no-split-index", "--force-write-index"], { index });
  return await Deno.readFile(index);
}

async function assertUnchanged({ repository, state }: Looked): Promise<void> {
  const head = await readHead(repository);
  const { digest } = await readIndex(repository);
  if (head.branch === state.branch && head.commit === state.commit && digest === state.indexDigest) return;
  throw new FileMovedError(repository.folder);
}

async function metadataOf({ repository, state }: World): Promise<Captured["metadata"]> {
  const { git, folder, shallow } = repository;
  const outer = state.repositories[0]!;
  const lines = async (args: readonly string[]) =>
    (await git.text(args)).split("\n").filter((it) => it !== "");
  const worktrees = (await lines(["worktree", "list", "--porcelain"])).filter((it) =>
    it.startsWith("worktree ")
  );
  return {
    commit_hash: outer.commit,
    branch: outer.branch?.replace(/^refs\/heads\//, "") ?? null,
    repo_path: folder,
    detached: outer.branch === null,
    unborn: outer.commit === null,
    changed_files: outer.kept.length,
    staged: outer.commit === null ? outer.entries.length : (await stagedPaths(repository)).length,
    submodules: state.repositories.slice(1).map(({ path, commit }) => ({ path, commit })),
    shallow,
    sparse: outer.sparse.settings["core.sparseCheckout"] === "true",
    stashes: await lines(["stash", "list", "--format=%H"]),
    worktrees: worktrees.map((it) => it.slice("worktree ".length)).filter((it) => it !== folder),
  };
}

function distinct(contents: readonly ContentRef[]): readonly ContentRef[] {
  return [...new Map(contents.map((it) => [it.chunks.join(), it])).values()];
}
