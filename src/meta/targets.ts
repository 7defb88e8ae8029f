/** `component targets`: what each component can be rolled back to. Changes nothing. */
import { join } from "node:path";
import { RollbackError, RollbackManifestError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import { readLock } from "#/component/lock.ts";
import { type EntryRow, listAllEntries } from "#/component/store/list.ts";
import { readManifest } from "#/component/manifest.ts";
import { readMarks } from "#/component/marks.ts";
import { chosenComponents, type Component, type Lock, MANIFEST_FOLDER } from "#/component/model.ts";
import { mapLimited } from "#/storage/limit.ts";
import { openCheckout } from "#/target/components/checkout.ts";
import { Git } from "#/target/git/git.ts";
import { gitContext, lines, lookAtComponent } from "./look.ts";
import type { MetaOptions } from "./options.ts";

const AT_ONCE = 4;
const MOST_TAGS = 20;

export interface TargetsOptions extends MetaOptions {
  /** Empty: all. */
  readonly components: readonly string[];
  /** Commits of each. */
  readonly commits: number;
}

export interface RollbackChoice {
  /** What to give to `component rollback`. */
  readonly name: string;
  readonly commit: string;
  /** RFC 3339; null where it is not known. */
  readonly date: string | null;
  readonly current: boolean;
  /** A commit's subject, a lock file's version. */
  readonly about: string;
  readonly mark: "good" | "bad" | null;
}

export interface ComponentTargets {
  readonly component: string;
  readonly commit: string | null;
  readonly version: string | null;
  readonly branch: string | null;
  /** Newest first. */
  readonly tags: readonly RollbackChoice[];
  readonly commits: readonly RollbackChoice[];
  /** Lock files and snapshots that have it, newest first. */
  readonly locks: readonly RollbackChoice[];
  /** Entries of the workspace's store, newest first. */
  readonly entries: readonly StoreChoice[];
}

/** What `--to-store` takes. */
export interface StoreChoice {
  readonly hash: string;
  readonly version: string | null;
  /** RFC 3339. */
  readonly date: string;
  readonly files: number;
  readonly bytes: number;
  readonly pinned: boolean;
}

export interface TargetsView {
  readonly components: readonly ComponentTargets[];
  /** Files that look like lock files and cannot be read, and what is wrong with the store. */
  readonly damaged: readonly string[];
}

/** @throws {RollbackVersionNotFoundError} 40: no such component */
export async function componentTargets(options: TargetsOptions): Promise<TargetsView> {
  const manifest = readManifest(options.folder);
  const chosen = options.components.length === 0
    ? [...manifest.components.values()]
    : chosenComponents(manifest, options.components);
  const { locks, damaged } = findLocks(options.folder);
  const kept = await entriesOf(options);
  const components = await mapLimited(
    chosen,
    AT_ONCE,
    (one) => targetsOf(one, locks, kept.entries, options),
    options.signal,
  );
  return { components, damaged: [...damaged, ...kept.damaged] };
}

interface FoundLock {
  readonly path: string;
  readonly lock: Lock;
}

/** In `manifests/`, and snapshots beside it. */
function findLocks(
  root: string,
): { readonly locks: readonly FoundLock[]; readonly damaged: readonly string[] } {
  const locks: FoundLock[] = [];
  const damaged: string[] = [];
  const named = (folder: string, pattern: RegExp) =>
    (posix.readFolder(join(root, folder)) ?? []).filter(({ name, isFile }) => isFile && pattern.test(name))
      .map(({ name }) => (folder === "" ? name : `${folder}/${name}`)).sort();
  const inManifests = named(MANIFEST_FOLDER, /^components\.lock(?:\..+)?\.yaml$/);
  for (
    const path of [...inManifests, ...named("", /\.ya?ml$/), ...named(MANIFEST_FOLDER, /snapshot.*\.ya?ml$/)]
  ) {
    try {
      const lock = readLock(join(root, path));
      if (inManifests.includes(path) || /^kind: ["']?snapshot/m.test(lock.text)) locks.push({ path, lock });
    } catch (error) {
      if (!(error instanceof RollbackManifestError)) throw error;
      if (inManifests.includes(path)) damaged.push(`${path}: ${error.message}`);
    }
  }
  const at = ({ lock }: FoundLock) => lock.generatedAt ?? "";
  return { locks: locks.toSorted((a, b) => (at(a) < at(b) ? 1 : at(a) > at(b) ? -1 : 0)), damaged };
}

async function targetsOf(
  component: Component,
  locks: readonly FoundLock[],
  entries: readonly EntryRow[],
  options: TargetsOptions,
): Promise<ComponentTargets> {
  const { name } = component;
  const now = await lookAtComponent(component, options);
  const marks = readMarks(options.folder, name);
  const markOf = (commit: string) => marks.find((one) => one.commit === commit)?.mark ?? null;
  const checkout = openCheckout(options.folder, name);
  const git = checkout === undefined ? undefined : new Git(checkout.folder, gitContext(options));
  const choice = (given: Omit<RollbackChoice, "current" | "mark">): RollbackChoice => ({
    ...given,
    current: given.commit === now.commit,
    mark: markOf(given.commit),
  });
  return {
    component: name,
    commit: now.commit,
    version: now.tags[0] ?? null,
    branch: now.branch,
    tags: git === undefined ? [] : (await tagsOf(git)).map(choice),
    commits: git === undefined || now.commit === null
      ? []
      : (await commitsOf(git, options.commits)).map(choice),
    locks: locks.flatMap(({ path, lock }) => {
      const locked = lock.components.get(name);
      if (locked === undefined) return [];
      const { commit, version } = locked;
      return [choice({ name: path, commit, date: lock.generatedAt ?? null, about: version ?? "" })];
    }),
    entries: entries.filter((it) => it.component === name).map(
      ({ hash, version, created_at, files, bytes, pinned }) => ({
        ...{ hash, version, date: created_at, files, bytes, pinned },
      }),
    ),
  };
}

/** What the store has; a store that cannot be used is told, and is no reason to hide all else. */
async function entriesOf(
  { folder, store, env, signal }: TargetsOptions,
): Promise<{ readonly entries: readonly EntryRow[]; readonly damaged: readonly string[] }> {
  const told: string[] = [];
  try {
    const common = { folder, store, env, signal, onWarning: (message: string) => void told.push(message) };
    const { entries, damaged } = await listAllEntries({ ...common, kind: "store" });
    return { entries, damaged: [...told, ...damaged] };
  } catch (error) {
    if (signal?.aborted === true || !(error instanceof RollbackError)) throw error;
    return { entries: [], damaged: [...told, `${store.location}: ${error.message}`] };
  }
}

type Found = Omit<RollbackChoice, "current" | "mark">;

async function tagsOf(git: Git): Promise<readonly Found[]> {
  const format = "%(refname:strip=2)%09%(objectname)%09%(*objectname)%09%(creatordate:iso-strict)";
  const args = [
    "for-each-ref",
    "--sort=-creatordate",
    "--sort=-version:refname",
    `--count=${MOST_TAGS}`,
    `--format=${format}`,
  ];
  return lines(await git.text([...args, "refs/tags"])).map((line) => {
    const [name = "", own = "", peeled = "", date = ""] = line.split("\t");
    return { name, commit: peeled === "" ? own : peeled, date: utc(date), about: "" };
  });
}

async function commitsOf(git: Git, most: number): Promise<readonly Found[]> {
  const args = ["log", `--max-count=${most}`, "--format=%H%x09%cI%x09%s", "HEAD", "--branches", "--remotes"];
  return lines(await git.text(args)).map((line) => {
    const [commit = "", date = "", ...subject] = line.split("\t");
    return { name: commit.slice(0, 12), commit, date: utc(date), about: subject.join(" ") };
  });
}

function utc(date: string): string | null {
  const time = Date.parse(date);
  return Number.isNaN(time) ? null : new Date(time).toISOString();
}
