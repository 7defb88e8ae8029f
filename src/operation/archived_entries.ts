/** Removing the files of audit entries that are in an archive: the last step of `audit archive`. */
import {
  archiveFileName,
  archiveKey,
  AUDIT_FOLDER,
  entryKey,
  isEntryRange,
  rangeOfFileName,
} from "#/core/audit_key.ts";
import { IntegrityError } from "#/core/errors.ts";
import type { RepositoryStep } from "#/step/repository_step.ts";
import type { ObjectStore } from "#/storage/object_store.ts";

type Removal = Extract<RepositoryStep, { kind: "remove_audit_entries" }>;

/** Oldest first and durably, so that what is left after a crash has no gaps but within one such batch. */
const BATCH = 500;

/**
 * Removes the files, when the archive that has their content is there and is the one that was planned.
 * @throws {IntegrityError} when it is not; nothing is removed then
 */
export async function removeArchivedEntries(store: ObjectStore, step: Removal): Promise<void> {
  await refuseWithoutArchive(store, step);
  for (let first = step.first; first <= step.last; first += BATCH) {
    const size = Math.min(BATCH, step.last - first + 1);
    await store.removeFiles(Array.from({ length: size }, (_, i) => entryKey(first + i)));
    await store.flush();
  }
}

async function refuseWithoutArchive(store: ObjectStore, { archive }: Removal): Promise<void> {
  const key = archiveKey(archive);
  const stat = await store.stat(key);
  const [found] = stat?.kind === "file" ? await store.digest([key]) : [];
  if (found?.sha256 === archive.sha256) return;
  const what = stat === undefined ? "is gone" : "has other bytes than were written";
  throw new IntegrityError(`Refused to remove archived audit entries: ${key} ${what}`, {
    hint: "The entries themselves are still there. Put the archive back, or look at `backout audit verify`.",
    context: { archive: key },
  });
}

/** Whether a step from a journal removes only what its archive holds. */
export function areArchived({ archive, first, last }: Removal): boolean {
  if (archive === null || typeof archive !== "object") return false;
  return isEntryRange(archive) && isEntryRange({ first, last }) &&
    archive.first <= first && last <= archive.last && /^[0-9a-f]{64}$/.test(archive.sha256);
}

/** Whether a key is that of an archive of the audit log. */
export function isArchiveKey(key: string): boolean {
  const range = key.startsWith(`${AUDIT_FOLDER}/`)
    ? rangeOfFileName(key.slice(AUDIT_FOLDER.length + 1))
    : undefined;
  return range !== undefined && key === `${AUDIT_FOLDER}/${archiveFileName(range)}`;
}
