/** The files of a backup: their digests, and where their bytes are. */
import { artifactPathProblem } from "#/core/safe_path.ts";
import {
  type BackupFile,
  backupKey,
  type BackupManifest,
  BACKUPS_PREFIX,
} from "#/repository/backup_folder.ts";
import { contentTagOf } from "#/repository/content_tags.ts";
import type { BatchOptions, DigestedObject, ObjectKey, ObjectReader } from "#/storage/object_store.ts";

/** A file that can be put back, and where its bytes are. */
export interface RestorableFile extends Omit<BackupFile, "sha256"> {
  readonly sha256: string;
  readonly backup: string;
  /** Where its bytes are. */
  readonly source: ObjectKey;
}

/** The files of a backup with their digests; what has none is read once. */
export async function filesOf(
  store: ObjectReader,
  backup: string,
  manifest: BackupManifest | undefined,
  options: BatchOptions,
): Promise<readonly RestorableFile[]> {
  const files = manifest?.artifacts ?? await filesWithoutManifest(store, backup);
  const unknown = files.filter((file) => file.sha256 === null);
  const digests = await store.digest(unknown.map((file) => bytesOf(backup, manifest, file)), options);
  const read = new Map(unknown.map((file, i) => [file.path, digests[i]!]));
  return files.map((file) => ({
    ...file,
    ...digestOf(store, file, read.get(file.path)),
    backup,
    source: bytesOf(backup, manifest, file),
  }));
}

/** What was read just now is not read again as long as the storage says that it is the same. */
function digestOf(
  store: ObjectReader,
  { sha256 }: BackupFile,
  read: DigestedObject | undefined,
): { readonly sha256: string; readonly content_tag?: string } {
  if (read === undefined) return { sha256: sha256! };
  return {
    sha256: read.sha256,
    ...(store.capabilities.remote ? { content_tag: contentTagOf(read.stat) } : {}),
  };
}

/** Where the bytes of a file of a backup are: in its folder, or a version that the bucket keeps. */
export function bytesOf(backup: string, manifest: BackupManifest | undefined, file: BackupFile): ObjectKey {
  if (manifest?.stored === "versions" && file.version_id !== undefined) {
    return { key: file.path, versionId: file.version_id };
  }
  return backupKey(backup, file.path);
}

/** The files of a backup that T.A.R.S. made: whatever is in its folder. */
export async function filesWithoutManifest(
  store: ObjectReader,
  backup: string,
): Promise<readonly BackupFile[]> {
  const prefix = `${BACKUPS_PREFIX}/${backup}/`;
  const files: BackupFile[] = [];
  for await (const { key, kind, size, mode, uid, gid, mtime } of store.list(prefix.slice(0, -1))) {
    const path = key.slice(prefix.length);
    if (kind !== "file" || artifactPathProblem(path) !== undefined) continue;
    files.push({ path, size, sha256: null, mode, uid, gid, mtime });
  }
  return files;
}
