/** The reading operations on backups: list, show, verify, drill. */
import { join } from "node:path";
import { digestFiles } from "#/core/digest.ts";
import { RollbackError, UsageError } from "#/core/errors.ts";
import { parseBackupFolderName } from "#/core/ids.ts";
import type { JsonObject } from "#/core/json.ts";
import { makeFolders, makeTemporaryFolder, removeFolder } from "#/core/output_file.ts";
import { existingIndex } from "#/release/read_releases.ts";
import { batch, openScope, type Scope, seconds } from "#/release/scope.ts";
import {
  type BackupFile,
  type BackupManifest,
  findBackup,
  listBackupNames,
  loadManifest,
} from "#/repository/backup_folder.ts";
import type { RepositoryOptions } from "#/repository/options.ts";
import { bytesOf, filesWithoutManifest } from "#/repository/backup_files.ts";
import type { BackupSummary, BackupVerifyResult, DrillResult } from "#/repository/views.ts";
import type { RepositoryIndex } from "#/repository/index_format.ts";
import { mapLimited, READS_AT_ONCE } from "#/storage/limit.ts";

export interface BackupOptions extends RepositoryOptions {
  /** The folder's name, a rollback id, or a version (its newest backup). */
  readonly backup: string;
}

export interface BackupDetail extends BackupSummary {
  readonly manifest: JsonObject | null;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

type Problem = BackupVerifyResult["problems"][number];

/** All backups, newest first. */
export async function listBackups(options: RepositoryOptions): Promise<readonly BackupSummary[]> {
  const { store } = await openScope(options);
  const { index } = await existingIndex(store);
  const summaries = await mapLimited(await listBackupNames(store), READS_AT_ONCE, async (name) => {
    const manifest = await loadManifest(store, name).catch(() => undefined); // `backup verify` says what is wrong
    return summarize(name, manifest, index);
  });
  return summaries.toSorted((a, b) =>
    (b.created_at ?? "").localeCompare(a.created_at ?? "") || b.id.localeCompare(a.id)
  );
}

function summarize(
  name: string,
  manifest: BackupManifest | undefined,
  index: RepositoryIndex,
): BackupSummary {
  const parsed = parseBackupFolderName(name);
  return {
    id: name,
    version: manifest?.version ?? parsed?.version ?? name,
    rollback_id: manifest?.rollback_id ?? null,
    rollback_type: manifest?.rollback_type ?? null,
    created_at: manifest?.created_at ?? parsed?.at ?? null,
    artifacts: manifest?.artifacts.length ?? null,
    bytes: manifest?.total_bytes ?? null,
    reason: manifest?.reason ?? null,
    pinned: index.backup_pins?.[name] !== undefined,
    has_manifest: manifest !== undefined,
  };
}

/** One backup, with its manifest and files. @throws {RollbackVersionNotFoundError} */
export async function showBackup(options: BackupOptions): Promise<BackupDetail> {
  const { store } = await openScope(options);
  const { index } = await existingIndex(store);
  const name = await findBackup(store, index, options.backup);
  const manifest = await loadManifest(store, name);
  const files = manifest?.artifacts ?? await filesWithoutManifest(store, name);
  const summary = summarize(name, manifest, index);
  return {
    ...summary,
    artifacts: files.length,
    bytes: files.reduce((sum, file) => sum + file.size, 0),
    manifest: (manifest ?? null) as unknown as JsonObject | null,
    files: files.map(({ path, size }) => ({ path, size })),
  };
}

export interface VerifyBackupsOptions extends RepositoryOptions {
  /** One backup; all when undefined. */
  readonly backup?: string;
  /** Read every byte; otherwise only presence and sizes are checked. */
  readonly readData: boolean;
}

/** Checks backups against their manifests. Problems are listed, not thrown. */
export async function verifyBackups(options: VerifyBackupsOptions): Promise<readonly BackupVerifyResult[]> {
  const scope = await openScope(options);
  const { index } = await existingIndex(scope.store);
  const names = options.backup === undefined
    ? await listBackupNames(scope.store)
    : [await findBackup(scope.store, index, options.backup)];
  const results: BackupVerifyResult[] = [];
  for (const name of names) results.push(await verifyBackup(scope, name, options.readData));
  return results;
}

async function verifyBackup(scope: Scope, backup: string, readData: boolean): Promise<BackupVerifyResult> {
  const { store } = scope;
  const base = { backup, read_data: readData, files_checked: 0, bytes_checked: 0 };
  try {
    const manifest = await loadManifest(store, backup);
    const files = manifest?.artifacts ?? await filesWithoutManifest(store, backup);
    const { present, problems } = await checkSizes(scope, backup, manifest, files);
    if (readData) problems.push(...await checkDigests(scope, backup, manifest, present));
    return {
      ...base,
      files_checked: files.length,
      bytes_checked: readData ? present.reduce((sum, file) => sum + file.size, 0) : 0,
      problems,
    };
  } catch (error) {
    if (!(error instanceof RollbackError)) throw error;
    return { ...base, problems: [{ path: null, problem: error.message }] };
  }
}

async function checkSizes(
  scope: Scope,
  backup: string,
  manifest: BackupManifest | undefined,
  files: readonly BackupFile[],
): Promise<{ readonly present: readonly BackupFile[]; readonly problems: Problem[] }> {
  const stats = await scope.store.statMany(files.map((file) => bytesOf(backup, manifest, file)));
  const problems: Problem[] = [];
  const present = files.filter((file, i) => {
    const stat = stats[i];
    if (stat?.kind === "file" && stat.size === file.size) return true;
    const problem = stat === undefined ? "missing" : `has ${stat.size} bytes, the manifest says ${file.size}`;
    problems.push({ path: file.path, problem });
    return false;
  });
  return { present, problems };
}

async function checkDigests(
  scope: Scope,
  backup: string,
  manifest: BackupManifest | undefined,
  files: readonly BackupFile[],
): Promise<readonly Problem[]> {
  const keys = files.map((file) => bytesOf(backup, manifest, file));
  const digests = await scope.store.digest(keys, batch(scope, `reading ${backup}`));
  return files.flatMap((file, i) => {
    if (file.sha256 === null || digests[i]!.sha256 === file.sha256) return [];
    return [{ path: file.path, problem: "its bytes are not those that were backed up" }];
  });
}

export interface DrillOptions extends BackupOptions {
  /** An empty or new folder; a temporary one that is removed again when undefined. */
  readonly scratch?: string;
}

/** Restores a backup into a scratch folder and compares every byte, so that a restore is known to work. */
export async function drillBackup(options: DrillOptions): Promise<DrillResult> {
  const scope = await openScope(options);
  const { store } = scope;
  const { index } = await existingIndex(store);
  const since = performance.now();
  const backup = await findBackup(store, index, options.backup);
  const manifest = await loadManifest(store, backup);
  const files = manifest?.artifacts ?? await filesWithoutManifest(store, backup);
  const scratch = options.scratch ?? makeTemporaryFolder("backout-drill-");
  if (options.scratch !== undefined) refuseFilled(options.scratch);
  try {
    await store.exportFiles(
      files.map((file) => ({
        key: bytesOf(backup, manifest, file),
        path: join(scratch, file.path),
        mode: file.mode,
      })),
      batch(scope, "restoring"),
    );
    const digests = await digestFiles(
      files.map((file) => join(scratch, file.path)),
      batch(scope, "comparing"),
    );
    const problems = files.flatMap((file, i): Problem[] => {
      if (digests[i]!.size !== file.size) {
        return [{ path: file.path, problem: "came back with another size" }];
      }
      if (file.sha256 === null || digests[i]!.sha256 === file.sha256) return [];
      return [{ path: file.path, problem: "came back with other bytes" }];
    });
    return {
      backup,
      files_checked: files.length,
      bytes_checked: digests.reduce((sum, digest) => sum + digest.size, 0),
      read_data: true,
      problems,
      scratch,
      restored: files.length,
      seconds: seconds(since),
    };
  } finally {
    if (options.scratch === undefined) removeFolder(scratch);
  }
}

function refuseFilled(folder: string): void {
  makeFolders(folder);
  if ([...Deno.readDirSync(folder)].length === 0) return;
  throw new UsageError(`Cannot restore into ${folder}: it is not empty`, {
    hint: "Give an empty or a new folder.",
  });
}
