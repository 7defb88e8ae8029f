/** Backups: one self-contained folder each, `.rollback-backups/<name>/` with `manifest.json` and the artifacts. */
import { RollbackBackupError, RollbackManifestError, RollbackVersionNotFoundError } from "#/core/errors.ts";
import { formatJson, isJsonObject, parseJson } from "#/core/json.ts";
import { parseBackupFolderName } from "#/core/ids.ts";
import { artifactPathProblem, isBackupId, quoteShort } from "#/core/safe_path.ts";
import type { Channel, ReleaseEntry, RepositoryIndex } from "#/repository/index_format.ts";
import { isDigest, isSize } from "#/repository/release_record.ts";
import type { Integrity, RollbackType } from "#/report/model.ts";
import type { ObjectReader } from "#/storage/object_store.ts";

export const BACKUPS_PREFIX = ".rollback-backups";
const MAX_MANIFEST_BYTES = 256 * 1024 * 1024;

/** One file in a backup, with everything that is needed to put it back as it was. */
export interface BackupFile {
  readonly path: string;
  readonly size: number;
  /** Null where nothing gave a digest and the bytes were not read (`--verify-backup size`). */
  readonly sha256: string | null;
  readonly mode: number;
  readonly uid: number | null;
  readonly gid: number | null;
  readonly mtime: string | null;
  /** On object storage: the tag (ETag, generation) of the artifact when it left. */
  readonly tag?: string;
  /** On object storage, beside a digest: what it said of those bytes (see `content_tags.ts`). */
  readonly content_tag?: string;
  /** Where the bucket keeps versions: the one that left. */
  readonly version_id?: string;
}

/** `.rollback-backups/<name>/manifest.json`. */
export interface BackupManifest {
  readonly format: 1;
  readonly kind: "backout.backup";
  readonly id: string;
  readonly rollback_id: string;
  readonly version: string;
  readonly rollback_type: RollbackType;
  readonly created_at: string;
  readonly by: string;
  readonly host: string;
  readonly reason: string;
  readonly integrity: Integrity;
  /** `versions`: the bytes are not in this folder, they are the bucket's older versions (`--no-backup` there). */
  readonly stored?: "versions";
  /** The index entry before the rollback; for a hidden release the one that its tombstone kept. */
  readonly entry: ReleaseEntry;
  /** Where the entry stood. */
  readonly newer: string | null;
  readonly older: string | null;
  /** The channels that pointed at the version, as they were and as the rollback left them. */
  readonly channels_before: { readonly [name: string]: Channel };
  readonly channels_after: { readonly [name: string]: Channel };
  /** All backups that together hold the version's artifacts, this one last. */
  readonly backups: readonly string[];
  readonly artifacts: readonly BackupFile[];
  readonly total_bytes: number;
}

export function backupKey(backup: string, path: string): string {
  return `${BACKUPS_PREFIX}/${backup}/${path}`;
}

export function manifestKey(backup: string): string {
  return backupKey(backup, "manifest.json");
}

/** Why an artifact cannot be kept in a backup: the manifest stands beside the artifacts, under this name. */
export function backupPathProblem(path: string): string | undefined {
  const [top] = path.split("/");
  return top!.toLowerCase() === "manifest.json" ? "a backup's own manifest has that name" : undefined;
}

export function encodeManifest(manifest: BackupManifest): Uint8Array {
  return new TextEncoder().encode(formatJson(manifest));
}

/**
 * The manifest of a backup; undefined when the backup has none (T.A.R.S. made it).
 * @throws {RollbackVersionNotFoundError} no such backup
 * @throws {RollbackManifestError} the manifest is damaged or names something unsafe
 */
export async function loadManifest(store: ObjectReader, backup: string): Promise<BackupManifest | undefined> {
  if (!isBackupId(backup)) throw noSuchBackup(backup);
  const stored = await store.read(manifestKey(backup), { maxBytes: MAX_MANIFEST_BYTES });
  if (stored !== undefined) return parseManifest(backup, stored.bytes);
  if (!await store.isFolder(`${BACKUPS_PREFIX}/${backup}`)) throw noSuchBackup(backup);
  return undefined;
}

export function parseManifest(backup: string, bytes: Uint8Array): BackupManifest {
  let value: unknown;
  try {
    value = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw manifestError(backup, "it is not JSON", cause);
  }
  const good = isJsonObject(value) && value.kind === "backout.backup" && typeof value.version === "string" &&
    isJsonObject(value.entry) && typeof value.entry.version === "string" &&
    Array.isArray(value.entry.artifacts) &&
    isJsonObject(value.channels_before) && isJsonObject(value.channels_after) &&
    Array.isArray(value.artifacts) && Array.isArray(value.backups) &&
    value.backups.every((name) => typeof name === "string" && isBackupId(name));
  if (!good) throw manifestError(backup, "it is not the manifest of a backup");
  const manifest = value as unknown as BackupManifest;
  const bad = manifest.artifacts.findIndex((file) => !isBackupFile(file));
  if (bad >= 0) {
    throw manifestError(backup, `its artifact number ${bad + 1} is unsafe or incomplete`);
  }
  return manifest;
}

function isBackupFile(value: unknown): value is BackupFile {
  return isJsonObject(value) && artifactPathProblem(value.path) === undefined && isSize(value.size) &&
    (value.sha256 === null || isDigest(value.sha256)) && typeof value.mode === "number" &&
    (value.version_id === undefined || typeof value.version_id === "string") &&
    (value.content_tag === undefined || typeof value.content_tag === "string");
}

/** Names of all backups, oldest first within a version. */
export async function listBackupNames(store: ObjectReader): Promise<readonly string[]> {
  const names = await store.listNames(BACKUPS_PREFIX);
  return names.filter((name) => isBackupId(name));
}

/**
 * Finds a backup by its folder's name, by a rollback id (or its beginning), or by a version (its newest).
 * @throws {RollbackVersionNotFoundError}
 */
export async function findBackup(
  store: ObjectReader,
  index: RepositoryIndex,
  wanted: string,
): Promise<string> {
  const names = await listBackupNames(store);
  if (names.includes(wanted)) return wanted;
  const tombstone = (index.rolled_back ?? []).find((stone) =>
    stone.version === wanted || stone.rollback_id === wanted
  );
  if (tombstone?.backup && names.includes(tombstone.backup)) return tombstone.backup;
  const ofVersion = newestOf(names.filter((name) => parseBackupFolderName(name)?.version === wanted));
  if (ofVersion !== undefined) return ofVersion;
  const ofOperation = await backupsOfOperation(store, names, wanted);
  if (ofOperation.length > 1) {
    throw new RollbackBackupError(`${quoteShort(wanted)} names ${ofOperation.length} backups`, {
      hint: `Give one of them: ${ofOperation.slice(0, 5).map(({ name }) => name).join(", ")}`,
    });
  }
  if (ofOperation.length === 1) return ofOperation[0]!.name;
  throw noSuchBackup(wanted);
}

/** The backups that the operation with this id (or beginning of one) made. */
export async function backupsOfOperation(
  store: ObjectReader,
  names: readonly string[],
  wanted: string,
): Promise<readonly { readonly name: string; readonly manifest: BackupManifest }[]> {
  if (!/^[0-9a-f][0-9a-f-]{7,35}$/.test(wanted)) return [];
  // The end of a full id is the end of the folder's name; only a beginning has to be looked up in the manifests.
  const likely = wanted.length === 36 ? names.filter((name) => name.endsWith(`-${wanted.slice(-8)}`)) : names;
  const found: { readonly name: string; readonly manifest: BackupManifest }[] = [];
  for (const name of likely) {
    const manifest = await loadManifest(store, name).catch(() => undefined);
    if (manifest?.rollback_id.startsWith(wanted)) found.push({ name, manifest });
  }
  return found;
}

/** The newest of several backup names of one version. */
export function newestOf(names: readonly string[]): string | undefined {
  return names.toSorted((a, b) => stamp(a) < stamp(b) ? -1 : 1).at(-1);
}

function stamp(name: string): string {
  return parseBackupFolderName(name)?.at ?? "";
}

function noSuchBackup(wanted: string): RollbackVersionNotFoundError {
  return new RollbackVersionNotFoundError(`There is no backup ${quoteShort(wanted)}`, {
    hint: "See `backout backup list`.",
    context: { backup: wanted },
  });
}

function manifestError(backup: string, what: string, cause?: unknown): RollbackManifestError {
  return new RollbackManifestError(`Cannot use the manifest of backup ${backup}: ${what}`, {
    hint: "See `backout backup verify`; the artifacts themselves may still be whole.",
    context: { backup },
    ...(cause === undefined ? {} : { cause }),
  });
}
