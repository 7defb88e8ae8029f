/**
 * Commits that nobody else may keep. What a restore needs of a repository's objects is kept twice: a ref
 * `refs/backout/<commit>` holds it in the repository, against `gc`; and what no remote-tracking branch has is a pack in
 * the snapshot store, for when the ref is gone as well. Later snapshots add what is new only.
 */
import { RollbackError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import type { ContentRef } from "#/store/model.ts";
import type { StoreReader } from "#/store/store.ts";
import { ProgramError } from "../run_program.ts";
import type { CaptureContext } from "../target.ts";
import type { Repository } from "./git.ts";
import type { IndexEntry, RepositoryState } from "./model.ts";

/** So many packs of earlier snapshots are built upon; then everything is packed anew. */
const MAX_PACKS = 30;
const GITLINK = "160000";

export interface SavedObjects {
  /** Each has what those before it lack. */
  readonly packs: readonly ContentRef[];
  /** Commits that the packs build on: they were on a remote-tracking branch. */
  readonly relies_on: readonly string[];
  /** Commits without parents here, where the history is cut (`git clone --depth`). */
  readonly shallow: readonly string[];
}

/** The ref that keeps a commit, whatever becomes of branches. */
export function keepingRef(commit: string): string {
  return `refs/backout/${commit}`;
}

/** Protects what the repository's HEAD and index refer to. */
export async function saveObjects(
  repository: Repository,
  state: RepositoryState,
  previous: { readonly commit: string | null; readonly objects: SavedObjects } | undefined,
  context: CaptureContext,
): Promise<SavedObjects> {
  const { git } = repository;
  const shallow = await readShallow(repository);
  const base = await usableBase(repository, previous, context);
  const packs = base?.objects.packs ?? [];
  const reliesOn = base?.objects.relies_on ?? [];
  const remotes = await lines(git.text(["for-each-ref", "--format=^%(objectname)", "refs/remotes"]));
  const without = [...remotes, ...(base === undefined ? [] : [`^${base.commit}`])];
  const commit = state.commit === null ? [] : [state.commit];
  const staged = await stagedObjects(repository, state);
  await keep(repository, state.commit, context);
  const isNew = commit.length > 0 && await hasNew(repository, [...commit, ...without]);
  const boundary = isNew
    ? await boundaryOf(repository, [...commit, ...remotes])
    : commit.filter(() => base === undefined);
  const saved = { relies_on: [...new Set([...reliesOn, ...boundary])], shallow };
  if (!isNew && staged.length === 0) return { ...saved, packs };
  const stdin = new TextEncoder().encode([...commit, ...staged, ...without].map((it) => `${it}\n`).join(""));
  const partial = await git.maybe(["config", "--get", "extensions.partialClone"]) !== undefined;
  const args = ["pack-objects", "--stdout", "--revs", "-q", "--delta-base-offset"];
  const stream = git.stream(partial ? [...args, "--exclude-promisor-objects"] : args, { stdin });
  const pack = await context.writer.addStream(stream, { signal: context.signal });
  return { ...saved, packs: [...packs, pack] };
}

async function usableBase(
  repository: Repository,
  previous: { readonly commit: string | null; readonly objects: SavedObjects } | undefined,
  { writer }: CaptureContext,
): Promise<{ readonly commit: string; readonly objects: SavedObjects } | undefined> {
  if (previous === undefined || previous.commit === null || previous.objects.packs.length >= MAX_PACKS) {
    return undefined;
  }
  const { commit, objects } = previous;
  if (!objects.packs.every((pack) => writer.known.has(pack))) return undefined; // lost: made anew
  return (await missingObjects(repository, [commit])).length === 0 ? { commit, objects } : undefined;
}

async function hasNew({ git }: Repository, revisions: readonly string[]): Promise<boolean> {
  return await git.text(["rev-list", "--max-count=1", ...inputOf(revisions).args], inputOf(revisions)) !== "";
}

async function boundaryOf({ git }: Repository, revisions: readonly string[]): Promise<readonly string[]> {
  const all = await lines(
    git.text(["rev-list", "--boundary", ...inputOf(revisions).args], inputOf(revisions)),
  );
  return all.filter((it) => it.startsWith("-")).map((it) => it.slice(1));
}

function inputOf(
  revisions: readonly string[],
): { readonly args: readonly string[]; readonly stdin: Uint8Array } {
  return { args: ["--stdin"], stdin: new TextEncoder().encode(revisions.map((it) => `${it}\n`).join("")) };
}

/** Contents that the index has and HEAD does not. */
async function stagedObjects(repository: Repository, state: RepositoryState): Promise<readonly string[]> {
  const staged = state.commit === null ? undefined : new Set(await stagedPaths(repository));
  const oids = state.entries
    .filter((it) => it.mode !== GITLINK && (staged === undefined || it.stage !== 0 || staged.has(it.path)))
    .map((it) => it.oid);
  const all = [...new Set(oids)];
  const missing = new Set(await missingObjects(repository, all)); // what was only announced (git add -N)
  return all.filter((it) => !missing.has(it));
}

/** Paths where the index differs from HEAD; with an unborn HEAD all. */
export async function stagedPaths({ git }: Repository): Promise<readonly string[]> {
  const args = [
    "diff-index",
    "--cached",
    "-z",
    "--name-only",
    "--no-renames",
    "--ignore-submodules=dirty",
    "HEAD",
  ];
  return (await git.list(args));
}

/** @returns those of the objects that the repository does not have */
export async function missingObjects(
  { git }: Repository,
  oids: readonly string[],
): Promise<readonly string[]> {
  if (oids.length === 0) return [];
  const stdin = new TextEncoder().encode(oids.map((it) => `${it}\n`).join(""));
  const said = await lines(git.text(["cat-file", "--batch-check=%(objecttype)"], { stdin }));
  return oids.filter((_, index) => said[index]!.endsWith(" missing"));
}

async function keep(repository: Repository, commit: string | null, context: CaptureContext): Promise<void> {
  if (commit === null) return;
  try {
    await repository.git.change(repository.gitDir, ["update-ref", keepingRef(commit), commit]);
  } catch (error) {
    if (!(error instanceof ProgramError) || error.end !== "failed") throw error;
    context.warn(
      `Cannot keep commit ${
        commit.slice(0, 12)
      } by a ref in ${repository.folder} (it is in the snapshot, as far as ` +
        `no remote-tracking branch has it): ${error.stderr}`,
    );
  }
}

async function readShallow({ commonDir, shallow }: Repository): Promise<readonly string[]> {
  return shallow ? await lines(Deno.readTextFile(`${commonDir}/shallow`)) : [];
}

async function lines(text: string | Promise<string>): Promise<readonly string[]> {
  return (await text).split("\n").filter((it) => it !== "");
}

/**
 * Brings back what is no longer in the repository, and holds it by the ref again.
 * @throws {RollbackError} a part of it was on a remote-tracking branch only, and is gone from here
 */
export async function restoreObjects(
  repository: Repository,
  saved: {
    readonly commit: string | null;
    readonly objects: SavedObjects;
    readonly entries: readonly IndexEntry[];
  },
  store: StoreReader,
  stage: string,
): Promise<void> {
  const { git, gitDir, folder } = repository;
  const { commit, objects } = saved;
  const needed = neededObjects(saved);
  const isKept = commit === null ||
    await git.maybe(["rev-parse", "-q", "--verify", keepingRef(commit)]) === commit;
  if (isKept && (await missingObjects(repository, needed)).length === 0) return;
  for (const pack of objects.packs) {
    await git.change(gitDir, ["index-pack", "--stdin"], { stdin: store.readStream(pack) });
  }
  await restoreShallow(repository, objects.shallow, stage);
  const missing = await missingObjects(repository, needed);
  const isWhole = missing.length === 0 && (commit === null || await isConnected(repository, commit));
  if (!isWhole) throw lost(folder, missing, objects.relies_on);
  if (commit !== null) await git.change(gitDir, ["update-ref", keepingRef(commit), commit]);
}

/** What a restore cannot do without. */
export function neededObjects(
  { commit, entries }: { readonly commit: string | null; readonly entries: readonly IndexEntry[] },
): readonly string[] {
  const blobs = entries.filter((it) => it.mode !== GITLINK && !isEmptyBlob(it.oid)).map((it) => it.oid);
  return [...new Set([...(commit === null ? [] : [commit]), ...blobs])];
}

/** Git knows it without having it. */
function isEmptyBlob(oid: string): boolean {
  return oid === "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391" ||
    oid.startsWith("473a0f4c3be8a93681a267e3b1e9a7dc");
}

async function isConnected({ git }: Repository, commit: string): Promise<boolean> {
  const { exitCode } = await git.run(
    ["rev-list", "--quiet", "--objects", commit, "--not", "--remotes"],
    { okCodes: [0, 128] },
  );
  return exitCode === 0;
}

/** A history that was cut when it was saved is cut there again, where its rest is not here. */
async function restoreShallow(
  repository: Repository,
  saved: readonly string[],
  stage: string,
): Promise<void> {
  if (saved.length === 0) return;
  const present = new Set(await missingObjects(repository, saved));
  const known = await readShallow({
    ...repository,
    shallow: posix.lstat(`${repository.commonDir}/shallow`) !== undefined,
  });
  const added = saved.filter((it) => !present.has(it) && !known.includes(it));
  const cut: string[] = [];
  for (const oid of added) {
    const raw = await repository.git.text(["cat-file", "-p", oid]);
    const parents = raw.split("\n\n")[0]!.split("\n").filter((it) => it.startsWith("parent ")).map((it) =>
      it.slice(7)
    );
    if ((await missingObjects(repository, parents)).length > 0) cut.push(oid);
  }
  if (cut.length === 0) return;
  const path = `${repository.commonDir}/shallow`;
  const temporary = `${stage}/shallow`;
  posix.writeNewFile(temporary, new TextEncoder().encode([...known, ...cut].map((it) => `${it}\n`).join("")));
  posix.rename(temporary, path);
}

function lost(folder: string, missing: readonly string[], reliesOn: readonly string[]): RollbackError {
  const what = missing[0] ?? reliesOn[0] ?? "a part of its history";
  return new RollbackError(
    `Cannot restore ${folder}: ${what} is no longer in the repository, nor in the snapshot`,
    {
      hint: reliesOn.length === 0
        ? "Look for it in another clone, and fetch it from there."
        : `It was on a remote-tracking branch when the snapshot was made: run git fetch in ${folder} (${
          reliesOn[0]
        } must come), then try again.`,
      context: { repo_path: folder, missing: missing.slice(0, 10), relies_on: reliesOn.slice(0, 10) },
    },
  );
}
