/** The reading operations on releases: list, show, verify. */
import { RollbackError, RollbackVersionNotFoundError } from "#/core/errors.ts";
import { artifactPathProblem, quoteShort } from "#/core/safe_path.ts";
import { unfinishedIds } from "#/operation/journal.ts";
import { batch, openScope, type Scope } from "#/release/scope.ts";
import { listBackupNames } from "#/repository/backup_folder.ts";
import { parseBackupFolderName } from "#/core/ids.ts";
import { INDEX_KEY, type LoadedIndex, loadIndex } from "#/repository/index_file.ts";
import type { FileRecord, ReleaseEntry, RepositoryIndex } from "#/repository/index_format.ts";
import type { RepositoryOptions } from "#/repository/options.ts";
import { loadRecord, releaseDigest } from "#/repository/release_record.ts";
import {
  channelsOf,
  dependentsOf,
  findEntry,
  findTombstone,
  publishedArtifacts,
  stateOf,
  stateOfEntry,
} from "#/repository/version_state.ts";
import type {
  HoldList,
  ReleaseDetail,
  ReleaseList,
  ReleaseSummary,
  VerifyProblem,
  VerifyResult,
} from "#/repository/views.ts";
import type { ObjectReader } from "#/storage/object_store.ts";

export interface VersionOptions extends RepositoryOptions {
  readonly version: string;
}

/** The index, of a repository that must be there. @throws {RollbackVersionNotFoundError} when there is none */
export async function existingIndex(store: ObjectReader): Promise<LoadedIndex> {
  const loaded = await loadIndex(store);
  if (loaded.tag !== null) return loaded;
  throw new RollbackVersionNotFoundError(
    `There is no repository at ${store.location}: it has no index.json`,
    {
      hint: "Check --repository. `backout release publish` makes a new repository.",
      context: { repository: store.location },
    },
  );
}

/**
 * The index; an empty one for a workspace, which has a history and an audit log, and no releases.
 * @throws {RollbackVersionNotFoundError} it is neither
 */
export async function indexOfScope(store: ObjectReader): Promise<LoadedIndex> {
  const loaded = await loadIndex(store);
  if (loaded.tag !== null || store.type !== "local") return await existingIndex(store);
  const [history, releases] = [await store.stat(".backout/history"), await store.stat(".backout/releases")];
  return history !== undefined && releases === undefined ? loaded : await existingIndex(store);
}

/** @throws {RollbackVersionNotFoundError} when nothing of a repository is there, not even an unfinished first publish */
export async function requireRepository(store: ObjectReader): Promise<void> {
  if (await store.stat(INDEX_KEY) !== undefined) return;
  if ((await unfinishedIds(store)).length === 0) await existingIndex(store);
}

/** All releases, newest first, with what was rolled back and the channels. */
export async function listReleases(options: RepositoryOptions): Promise<ReleaseList> {
  const { store } = await openScope(options);
  const { index } = await existingIndex(store);
  const named = channelNames(index);
  return {
    repository: store.location,
    serial: index.serial ?? 0,
    releases: index.releases.map((entry) => summarize(entry, named)),
    rolled_back: index.rolled_back ?? [],
    channels: index.channels ?? {},
  };
}

/** What holds the repository, oldest first. */
export async function listHolds(options: RepositoryOptions): Promise<HoldList> {
  const { store } = await openScope(options);
  const { index } = await existingIndex(store);
  const holds = Object.entries(index.holds ?? {}).map(([name, hold]) => ({ name, ...hold }));
  return { repository: store.location, holds: holds.toSorted((a, b) => a.at < b.at ? -1 : 1) };
}

function channelNames(index: RepositoryIndex): ReadonlyMap<string, readonly string[]> {
  const named = new Map<string, string[]>();
  for (const [name, { version }] of Object.entries(index.channels ?? {})) {
    named.set(version, [...named.get(version) ?? [], name]);
  }
  return named;
}

function summarize(entry: ReleaseEntry, named: ReadonlyMap<string, readonly string[]>): ReleaseSummary {
  return {
    version: entry.version,
    state: stateOfEntry(entry),
    published_at: entry.timestamp ?? null,
    artifacts: entry.artifacts.length,
    size_bytes: entry.size_bytes ?? null,
    channels: named.get(entry.version) ?? [],
    depends_on: entry.depends_on ?? [],
  };
}

/** Everything that is known of one version. @throws {RollbackVersionNotFoundError} */
export async function showRelease(options: VersionOptions): Promise<ReleaseDetail> {
  const { store } = await openScope(options);
  const { index } = await existingIndex(store);
  const { version } = options;
  const state = stateOf(index, version);
  if (state === "absent") throw noVersion(store, version);
  const entry = findEntry(index, version) ?? null;
  const tombstone = findTombstone(index, version) ?? null;
  const backups = (await listBackupNames(store)).filter((name) =>
    parseBackupFolderName(name)?.version === version
  );
  const shown = entry ?? tombstone?.entry;
  return {
    version,
    state,
    entry,
    tombstone,
    channels: channelsOf(index, version),
    dependents: dependentsOf(index, [version]).map((dependent) => dependent.version),
    backups,
    files: shown === undefined ? [] : await filesOf(store, shown),
  };
}

async function filesOf(store: ObjectReader, entry: ReleaseEntry): Promise<ReleaseDetail["files"]> {
  const record = await loadRecord(store, entry).catch(() => undefined); // `release verify` says what is wrong with it
  const recorded = new Map(record?.files.map((file) => [file.path, file]));
  const safe = entry.artifacts.filter((path) => artifactPathProblem(path) === undefined);
  const stats = await store.statMany(safe);
  return safe.map((path, i) => ({
    path,
    size: recorded.get(path)?.size ?? stats[i]?.size ?? null,
    sha256: recorded.get(path)?.sha256 ?? null,
    present: stats[i]?.kind === "file",
  }));
}

/** Reads every published file and compares it with what was published. Problems are listed, not thrown. */
export async function verifyReleases(
  options: RepositoryOptions & { readonly version?: string },
): Promise<VerifyResult> {
  const scope = await openScope(options);
  const { store } = scope;
  const { index } = await existingIndex(store);
  const entries = options.version === undefined
    ? index.releases
    : [entryToVerify(store, index, options.version)];
  const checks: ReleaseCheck[] = [];
  for (const entry of entries) checks.push(await verifyRelease(scope, entry));
  return {
    repository: store.location,
    releases_checked: entries.length,
    files_checked: checks.reduce((sum, check) => sum + check.files, 0),
    bytes_checked: checks.reduce((sum, check) => sum + check.bytes, 0),
    without_digest: checks.filter((check) => !check.hasDigests).map((check) => check.version),
    problems: checks.flatMap((check) => check.problems),
  };
}

function entryToVerify(store: ObjectReader, index: RepositoryIndex, version: string): ReleaseEntry {
  const entry = findEntry(index, version) ?? findTombstone(index, version)?.entry;
  if (entry === undefined) throw noVersion(store, version);
  return entry;
}

interface ReleaseCheck {
  readonly version: string;
  readonly files: number;
  readonly bytes: number;
  readonly hasDigests: boolean;
  readonly problems: readonly VerifyProblem[];
}

async function verifyRelease(scope: Scope, entry: ReleaseEntry): Promise<ReleaseCheck> {
  const { version } = entry;
  const problems: VerifyProblem[] = [];
  const record = await loadRecord(scope.store, entry).catch((error: unknown) => {
    if (!(error instanceof RollbackError)) throw error;
    problems.push({ version, path: null, problem: error.message });
    return undefined;
  });
  const paths = publishedArtifacts(entry);
  const unsafe = paths.filter((path) => artifactPathProblem(path) !== undefined);
  problems.push(
    ...unsafe.map((path) => ({ version, path, problem: `unsafe path: ${artifactPathProblem(path)}` })),
  );
  const safe = paths.filter((path) => artifactPathProblem(path) === undefined);
  const stats = await scope.store.statMany(safe);
  const present = safe.filter((path, i) => {
    if (stats[i]?.kind === "file") return true;
    problems.push({
      version,
      path,
      problem: stats[i] === undefined ? "missing" : `a ${stats[i].kind}, not a file`,
    });
    return false;
  });
  const digests = await scope.store.digest(present, batch(scope, `reading ${version}`));
  const files: FileRecord[] = digests.map(({ key, size, sha256, stat }) => ({
    path: key,
    size,
    sha256,
    mode: stat.mode,
  }));
  problems.push(...mismatches(version, files, record?.files));
  const whole = files.length === entry.artifacts.length;
  if (record === undefined && entry.record_sha256 === undefined) {
    return { version, files: files.length, bytes: total(files), hasDigests: false, problems };
  }
  if (whole && entry.sha256 !== undefined && problems.length === 0 && releaseDigest(files) !== entry.sha256) {
    problems.push({
      version,
      path: null,
      problem: "the files together do not have the digest that the index gives",
    });
  }
  return { version, files: files.length, bytes: total(files), hasDigests: true, problems };
}

function mismatches(
  version: string,
  files: readonly FileRecord[],
  recorded: readonly FileRecord[] | undefined,
): readonly VerifyProblem[] {
  const known = new Map(recorded?.map((file) => [file.path, file]));
  return files.flatMap((file) => {
    const published = known.get(file.path);
    if (published === undefined || published.sha256 === file.sha256) return [];
    const problem = published.size === file.size
      ? "its bytes are not what was published"
      : `it has ${file.size} bytes, and was published with ${published.size}`;
    return [{ version, path: file.path, problem }];
  });
}

function total(files: readonly FileRecord[]): number {
  return files.reduce((sum, file) => sum + file.size, 0);
}

function noVersion(store: ObjectReader, version: string): RollbackVersionNotFoundError {
  return new RollbackVersionNotFoundError(`There is no version ${quoteShort(version)} in ${store.location}`, {
    hint: "See `backout release list`.",
    context: { version },
  });
}
