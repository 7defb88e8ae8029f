/** What can be restored of a version, and from which backups. */
import { RollbackAlreadyRolledBackError, RollbackBackupError } from "#/core/errors.ts";
import { parseBackupFolderName } from "#/core/ids.ts";
import { artifactPathProblem, quoteShort, versionProblem } from "#/core/safe_path.ts";
import { filesOf, type RestorableFile } from "#/repository/backup_files.ts";
import {
  type BackupManifest,
  findBackup,
  listBackupNames,
  loadManifest,
  newestOf,
} from "#/repository/backup_folder.ts";
import type { Channel, ReleaseEntry, RepositoryIndex, Tombstone } from "#/repository/index_format.ts";
import { releaseDigest } from "#/repository/release_record.ts";
import { findEntry, findTombstone, stateOf, statusByMarks } from "#/repository/version_state.ts";
import type { VersionState } from "#/repository/views.ts";
import type { BatchOptions, ObjectReader } from "#/storage/object_store.ts";

/** A version as it will be after its restore. */
export interface Restorable {
  readonly version: string;
  readonly state: VersionState;
  /** Oldest first. */
  readonly backups: readonly string[];
  readonly entry: ReleaseEntry;
  readonly newer: string | null;
  readonly older: string | null;
  /** Files that are not in place. */
  readonly files: readonly RestorableFile[];
  /** Channels to put back, if nobody moved them since: as they were, and as the rollback left them. */
  readonly channels: readonly {
    readonly name: string;
    readonly before: Channel;
    readonly after: Channel | undefined;
  }[];
  readonly problems: readonly string[];
}

/**
 * Looks up a version (or a backup's name, or a rollback id) and all that is needed to restore it.
 * @throws {RollbackVersionNotFoundError} nothing to restore from
 * @throws {RollbackAlreadyRolledBackError} the version is there
 */
export async function inspectRestorable(
  store: ObjectReader,
  index: RepositoryIndex,
  wanted: string,
  options: BatchOptions,
): Promise<Restorable> {
  const known = stateOf(index, wanted);
  if (known === "hidden") return await ofTombstone(store, index, wanted, options);
  const backup = await backupToUse(store, index, wanted, known);
  const manifest = await loadManifest(store, backup);
  const version = manifest?.version ?? versionOfFolder(backup);
  const state = stateOf(index, version);
  if (state === "hidden" || state === "removed") {
    return await ofTombstone(store, index, version, options, manifest);
  }
  const entry = findEntry(index, version);
  const backups = entry?.backups ?? manifest?.backups ?? [backup];
  if (state === "active" || state === "yanked" || state === "bad") await refuseIfThere(store, entry!, state);
  return await gather(store, { index, version, state, backups, current: entry }, options);
}

async function backupToUse(
  store: ObjectReader,
  index: RepositoryIndex,
  wanted: string,
  state: VersionState,
): Promise<string> {
  const tombstone = findTombstone(index, wanted);
  if (state === "removed" && tombstone?.backup === null && tombstone.backups?.length === 0) {
    throw await noBackup(store, wanted, tombstone);
  }
  const entry = findEntry(index, wanted);
  if ((state === "partial" || state === "emptied") && entry?.backups?.length === 0) {
    throw await noBackup(store, wanted);
  }
  if (entry !== undefined && (state === "active" || state === "yanked" || state === "bad")) {
    await refuseIfThere(store, entry, state);
  }
  return await findBackup(store, index, wanted);
}

async function ofTombstone(
  store: ObjectReader,
  index: RepositoryIndex,
  version: string,
  options: BatchOptions,
  named?: BackupManifest,
): Promise<Restorable> {
  const tombstone = findTombstone(index, version)!;
  const kept = tombstone.backups ?? (tombstone.backup === null ? [] : [tombstone.backup]);
  // The last rollback left no backup, but an older one was asked for by its name.
  const backups = kept.length > 0 ? kept : named?.backups ?? [];
  if (backups.length === 0 && tombstone.entry === undefined) throw await noBackup(store, version, tombstone);
  return await gather(
    store,
    { index, version, state: tombstone.state, backups, current: tombstone.entry },
    options,
  );
}

/** An entry whose artifacts were taken out without backout (by hand, or by T.A.R.S.) can still be restored. */
async function refuseIfThere(store: ObjectReader, entry: ReleaseEntry, state: VersionState): Promise<void> {
  const stats = await store.statMany(
    entry.artifacts.filter((path) => artifactPathProblem(path) === undefined),
  );
  if (stats.some((stat) => stat === undefined)) return;
  throw new RollbackAlreadyRolledBackError(`${entry.version} is there already: it is ${state}`, {
    hint: "There is nothing to restore.",
    context: { version: entry.version, state },
  });
}

interface Sources {
  readonly index: RepositoryIndex;
  readonly version: string;
  readonly state: VersionState;
  readonly backups: readonly string[];
  /** The entry in the index or in the tombstone. */
  readonly current: ReleaseEntry | undefined;
}

async function gather(store: ObjectReader, sources: Sources, options: BatchOptions): Promise<Restorable> {
  const { version, state, backups } = sources;
  const manifests = new Map<string, BackupManifest | undefined>();
  for (const backup of backups) manifests.set(backup, await loadManifest(store, backup));
  const saved = new Map<string, RestorableFile>();
  for (const [backup, manifest] of manifests) {
    for (const file of await filesOf(store, backup, manifest, options)) saved.set(file.path, file);
  }
  const known = [...manifests.values()].filter((manifest) => manifest !== undefined);
  const entry = entryAfter(version, sources.current, known, [...saved.values()], backups);
  const missing = await notInPlace(store, entry);
  const unsaved = missing.filter((path) => !saved.has(path));
  const last = known.at(-1);
  return {
    version,
    state,
    backups,
    entry,
    newer: last?.newer ?? null,
    older: last?.older ?? null,
    files: missing.flatMap((path) => saved.get(path) ?? []),
    channels: channelsOf(known),
    problems: [
      ...unsaved.map((path) => `${path} is neither in place nor in a backup`),
      ...await occupied(store, entry, saved, options),
    ],
  };
}

function versionOfFolder(backup: string): string {
  const version = parseBackupFolderName(backup)?.version;
  if (version !== undefined && versionProblem(version) === undefined) return version;
  throw new RollbackBackupError(`Cannot tell which version the backup ${quoteShort(backup)} is of`, {
    hint: "It has no manifest, and its name is not <version>-<time>-<id>.",
    context: { backup },
  });
}

/** The entry as it was when the version was whole, with the marks it has got since. */
function entryAfter(
  version: string,
  current: ReleaseEntry | undefined,
  manifests: readonly BackupManifest[],
  files: readonly RestorableFile[],
  backups: readonly string[],
): ReleaseEntry {
  const latest = current ?? manifests.at(-1)?.entry;
  const first = manifests[0]?.entry ?? latest;
  if (first === undefined) return entryFromFiles(version, files, backups);
  const { removed_artifacts: _removed, backups: _backups, yanked: _yanked, mark: _mark, ...whole } = first;
  const marks = {
    ...(latest?.yanked === undefined ? {} : { yanked: latest.yanked }),
    ...(latest?.mark === undefined ? {} : { mark: latest.mark }),
  };
  const status = first.status === undefined && Object.keys(marks).length === 0
    ? {}
    : { status: statusByMarks(marks) };
  return { ...whole, ...status, ...marks } as unknown as ReleaseEntry;
}

/** T.A.R.S. kept nothing of the entry: what can be known of it again. */
function entryFromFiles(
  version: string,
  files: readonly RestorableFile[],
  backups: readonly string[],
): ReleaseEntry {
  const at = parseBackupFolderName(backups.at(-1) ?? "")?.at;
  return {
    version,
    ...(at === undefined ? {} : { timestamp: at }),
    sha256: releaseDigest(files),
    size_bytes: files.reduce((sum, file) => sum + file.size, 0),
    artifacts: files.map((file) => file.path).toSorted(),
    status: "active",
  };
}

async function notInPlace(store: ObjectReader, entry: ReleaseEntry): Promise<readonly string[]> {
  const paths = [...new Set(entry.artifacts)].filter((path) => artifactPathProblem(path) === undefined);
  const stats = await store.statMany(paths);
  return paths.filter((_, i) => stats[i] === undefined);
}

/** Something else stands where a saved file belongs. What another release kept in place is the same, byte for byte. */
async function occupied(
  store: ObjectReader,
  entry: ReleaseEntry,
  saved: ReadonlyMap<string, RestorableFile>,
  options: BatchOptions,
): Promise<readonly string[]> {
  const paths = [...new Set(entry.artifacts)].filter((path) => saved.has(path));
  const stats = await store.statMany(paths);
  const there = paths.filter((_, i) => stats[i] !== undefined);
  const same = await store.haveBytes(there.map((path) => saved.get(path)!), options);
  return there.filter((_, i) => !same[i]).map((path) => `something else stands at ${path}`);
}

/** Newest rollback first: each undoes what it did to the channels. */
function channelsOf(manifests: readonly BackupManifest[]): Restorable["channels"] {
  return manifests.toReversed().flatMap((manifest) =>
    Object.entries(manifest.channels_before).map(([name, before]) => ({
      name,
      before,
      after: manifest.channels_after[name],
    }))
  );
}

/** Why there is nothing to restore from; a backup of an earlier rollback that was undone may still hold the bytes. */
async function noBackup(
  store: ObjectReader,
  version: string,
  tombstone?: Tombstone,
): Promise<RollbackBackupError> {
  const names = await listBackupNames(store);
  const older = newestOf(names.filter((name) => parseBackupFolderName(name)?.version === version));
  const deleted = tombstone?.backup_deleted;
  const why = deleted === undefined
    ? `${version} was rolled back without a backup, or its backup was deleted`
    : `The backup of ${version} was deleted at ${deleted.at} by operation ${deleted.operation}`;
  return new RollbackBackupError(why, {
    hint: older === undefined
      ? "It cannot be restored from here. Publish it again under a new version."
      : `A backup of an earlier rollback is there: backout release restore ${older}`,
    context: { version, ...(older === undefined ? {} : { backup: older }) },
  });
}
