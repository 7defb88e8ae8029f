/** `component lock`, `lock promote`, `lock compare`, and `component snapshot`: files that fix components to commits. */
import { basename, dirname, join, relative, resolve } from "node:path";
import { RollbackVersionNotFoundError, UsageError } from "#/core/errors.ts";
import type { JsonObject } from "#/core/json.ts";
import { writeOutputFile } from "#/core/output_file.ts";
import * as posix from "#/core/posix.ts";
import { readText } from "#/component/document.ts";
import { lockDocument, newLockText } from "#/component/edit.ts";
import { readLock } from "#/component/lock.ts";
import { readManifest } from "#/component/manifest.ts";
import {
  assertEnvironment,
  chosenComponents,
  type Component,
  type LockedComponent,
  lockPath,
} from "#/component/model.ts";
import { shownUrl } from "#/component/repo_url.ts";
import type { OperationReport } from "#/report/model.ts";
import { count } from "#/report/units.ts";
import { type Change, runChange } from "#/snapshot/change.ts";
import { mapLimited } from "#/storage/limit.ts";
import { shortCommit } from "#/target/components/model.ts";
import { type ComponentNow, lookAtComponent } from "./look.ts";
import type { MetaOptions } from "./options.ts";
import { carryOutWorkedOut, type DocumentChange } from "./worked_out.ts";

const AT_ONCE = 4;

export interface LockOptions extends MetaOptions {
  readonly environment?: string;
}

/** Writes what is checked out now into a lock file; the old one stays as `.previous`. */
export function lockComponents(options: LockOptions): Promise<OperationReport> {
  const path = lockPath(options.environment);
  const definition = { operation: "component_lock", title: `write ${path}`, version: path } as const;
  return runChange(options, definition, async (change) => {
    const manifest = readManifest(options.folder);
    const components = [...manifest.components.values()];
    const now = await mapLimited(components, AT_ONCE, (one) => lookAtComponent(one, options), options.signal);
    refuseMissing(now);
    for (const { name, uncommitted } of now) {
      if (uncommitted.length > 0) {
        change.warn(`${name} has uncommitted work, which the lock file does not have`);
      }
    }
    const entries = now.map((one, i) => [one.name, entryOf(components[i]!, one, change)] as const);
    await writeLock(
      change,
      options,
      path,
      Object.fromEntries(entries),
      {
        ...(options.environment === undefined ? {} : { environment: options.environment }),
      },
      `lock ${count(entries.length, "component")} in ${path}`,
      `Locked ${count(entries.length, "component")} in ${path}`,
    );
  });
}

function refuseMissing(now: readonly ComponentNow[]): void {
  const missing = now.filter(({ commit }) => commit === null).map(({ name }) => name);
  if (missing.length === 0) return;
  throw new RollbackVersionNotFoundError(
    `${missing.join(", ")} ${missing.length === 1 ? "is" : "are"} not checked out`,
    {
      hint: "Check everything out first; a lock file fixes all components of the manifest.",
      context: { components: missing },
    },
  );
}

function entryOf(
  { name, version, repo, type }: Component,
  { commit, tags }: ComponentNow,
  change: Change,
): JsonObject {
  const at = tags[0];
  if (version !== undefined && at === undefined) {
    change.warn(`${name} is at ${shortCommit(commit)}, which has no tag; the manifest says ${version}`);
  }
  return {
    version: at ?? commit!,
    commit: commit!,
    ...(repo === undefined ? {} : { repo: shownUrl(repo) }),
    ...(type === undefined ? {} : { type }),
  };
}

async function writeLock(
  change: Change,
  options: MetaOptions,
  path: string,
  entries: Readonly<Record<string, JsonObject>>,
  head: Readonly<Record<string, string>>,
  title: string,
  done: string,
): Promise<void> {
  const full = join(options.folder, path);
  const old = posix.lstat(full) === undefined ? undefined : readText(full, "lock file", "");
  const now = change.workspace.scope.now().toISOString();
  const text = old === undefined
    ? newLockText({ generated_at: now, ...head }, entries)
    : lockDocument(old, full, { ...head }, entries, now);
  const documents: DocumentChange[] = text === old ? [] : [
    ...(old === undefined ? [] : [{ path: previousOf(path), text: old }]),
    { path, text },
  ];
  change.report = { ...change.report, version_exists: true, versions: [path] };
  await carryOutWorkedOut(change, { ...options, checks: [] }, {
    checkouts: [],
    documents,
    wording: { title, noun: `change of ${path}`, done, intended: `Would ${title}` },
  });
}

function previousOf(path: string): string {
  return path.replace(/\.yaml$/, ".previous.yaml");
}

export interface PromoteOptions extends MetaOptions {
  /** Environments. */
  readonly from: string;
  readonly to: string;
}

/** Makes the lock file of one environment that of another; the old one stays as `.previous`. */
export function promoteLock(options: PromoteOptions): Promise<OperationReport> {
  const { from, to } = options;
  assertEnvironment(from);
  const path = lockPath(to);
  if (from === to) throw new UsageError(`${from} is promoted to itself`, { hint: "Name two environments." });
  const definition = {
    operation: "component_lock",
    title: `promote ${from} to ${to}`,
    version: `${from} → ${to}`,
  } as const;
  return runChange(options, definition, async (change) => {
    const lock = readLock(join(options.folder, lockPath(from)));
    if (lock.environment !== undefined && lock.environment !== from) {
      throw new UsageError(`${lockPath(from)} says that it is of the environment ${lock.environment}`, {
        hint: "It was copied or renamed; write it anew with `backout component lock`.",
      });
    }
    const entries = [...lock.components.values()].map(({ name, fields }) => [name, fields] as const);
    const title = `promote the lock file of ${from} to ${to}`;
    await writeLock(
      change,
      options,
      path,
      Object.fromEntries(entries),
      { environment: to },
      title,
      `Promoted ${from} to ${to}`,
    );
  });
}

/** One component in two lock files. */
export interface LockDifference {
  readonly component: string;
  /** Null: it is not in that one. */
  readonly from: { readonly version: string | null; readonly commit: string } | null;
  readonly to: { readonly version: string | null; readonly commit: string } | null;
}

export interface LockComparison {
  readonly from: string;
  readonly to: string;
  readonly same: number;
  readonly differences: readonly LockDifference[];
}

/** @param words environments, or paths of lock files */
export function compareLocks(
  options: MetaOptions & { readonly words: readonly [string, string]; readonly cwd: string },
): LockComparison {
  const { folder } = options;
  const [a, b] = options.words.map((word) => readLock(lockNamed(word, folder, options.cwd)));
  const names = [...new Set([...a!.components.keys(), ...b!.components.keys()])].sort();
  const side = (locked: LockedComponent | undefined) =>
    locked === undefined ? null : { version: locked.version ?? null, commit: locked.commit };
  const all = names.map((component) => ({
    component,
    from: side(a!.components.get(component)),
    to: side(b!.components.get(component)),
  }));
  const differences = all.filter(({ from, to }) =>
    from?.commit !== to?.commit || from?.version !== to?.version
  );
  const shown = (path: string) => relative(folder, path).startsWith("..") ? path : relative(folder, path);
  return { from: shown(a!.path), to: shown(b!.path), same: all.length - differences.length, differences };
}

/** `prod`, or a path. */
function lockNamed(word: string, folder: string, cwd: string): string {
  return /[/.]/.test(word) ? resolve(cwd, word) : join(folder, lockPath(word));
}

export interface ComponentSnapshotOptions extends MetaOptions {
  /** Absolute. */
  readonly out: string;
  /** Empty: all that are checked out. */
  readonly components: readonly string[];
  readonly description?: string;
}

export interface ComponentSnapshot {
  readonly path: string;
  readonly components: Readonly<Record<string, JsonObject>>;
  readonly warnings: readonly string[];
}

/** Writes a file that says where components are now; `--restore` brings them back there. An old one stays as `.previous`. */
export async function writeComponentSnapshot(options: ComponentSnapshotOptions): Promise<ComponentSnapshot> {
  const { out, folder, description } = options;
  const manifest = readManifest(folder);
  const chosen = options.components.length === 0
    ? [...manifest.components.values()]
    : chosenComponents(manifest, options.components);
  const now = await mapLimited(chosen, AT_ONCE, (one) => lookAtComponent(one, options), options.signal);
  const there = now.filter(({ commit }) => commit !== null);
  if (options.components.length > 0 || there.length === 0) refuseMissing(now);
  const warnings = now.flatMap(({ name, commit, uncommitted }) =>
    commit === null
      ? [`${name} is not checked out, and not in it`]
      : uncommitted.length > 0
      ? [`${name} has uncommitted work, which is not in it`]
      : []
  );
  const entries = there.map((one) => {
    const { repo } = manifest.components.get(one.name)!;
    return [one.name, {
      version: one.tags[0] ?? one.commit!,
      commit: one.commit!,
      ...(one.branch === null ? {} : { branch: one.branch }),
      ...(repo === undefined ? {} : { repo: shownUrl(repo) }),
    }] as const;
  });
  const components = Object.fromEntries(entries);
  if (options.dryRun !== true) {
    const time = (options.now ?? (() => new Date()))().toISOString();
    const head = {
      kind: "snapshot",
      generated_at: time,
      ...(description === undefined ? {} : { description }),
    };
    replaceKeeping(out, newLockText(head, components));
  }
  return { path: out, components, warnings };
}

function replaceKeeping(path: string, text: string): void {
  const info = posix.lstat(path);
  if (info?.isFile === true) {
    readLock(path); // what is no such file is not replaced
    const name = basename(path);
    const dot = name.lastIndexOf(".");
    const kept = dot < 1 ? `${name}.previous` : `${name.slice(0, dot)}.previous${name.slice(dot)}`;
    writeOutputFile(join(dirname(path), kept), Deno.readFileSync(path));
  }
  writeOutputFile(path, text);
}
