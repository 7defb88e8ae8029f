/** Deleting a backup for good, after the commit. */
import { StorageError } from "#/core/errors.ts";
import { BACKUPS_PREFIX } from "#/repository/backup_folder.ts";
import { BucketError } from "#/storage/bucket/bucket_error.ts";
import type { ObjectStore } from "#/storage/object_store.ts";

/** A backup that the storage does not let go of: it stays, and nothing else has to wait for it. */
export interface RefusedDeletion {
  readonly backup: string;
  readonly why: string;
}

/** @returns undefined when the backup is gone; the refusal where a person has to lift what keeps it */
export async function deleteBackup(
  store: ObjectStore,
  backup: string,
): Promise<RefusedDeletion | undefined> {
  try {
    await store.removeTree(`${BACKUPS_PREFIX}/${backup}`);
    return undefined;
  } catch (error) {
    if (error instanceof StorageError && isForbidden(error)) return { backup, why: error.message };
    throw error;
  }
}

export function refusedSentence({ backup, why }: RefusedDeletion): string {
  return `The backup ${backup} could not be deleted, and stays: ${why}`;
}

/** Object lock, retention, permissions: trying again does not help, and is no reason to stay unfinished. */
export function isForbidden(error: unknown): boolean {
  if (error instanceof BucketError) return error.failure === "retained" || error.failure === "denied";
  if (!(error instanceof StorageError)) return false;
  return error.kind === "permission" || isForbidden(error.cause);
}
