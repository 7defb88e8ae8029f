/** What a restore brings back: one version, or all that one operation took out. */
import { RollbackAlreadyRolledBackError, RollbackBackupError } from "#/core/errors.ts";
import { parseBackupFolderName } from "#/core/ids.ts";
import { quoteShort } from "#/core/safe_path.ts";
import { backupsOfOperation, listBackupNames } from "#/repository/backup_folder.ts";
import type { RepositoryIndex } from "#/repository/index_format.ts";
import { inspectRestorable, type Restorable } from "#/repository/restorable.ts";
import { stateOf } from "#/repository/version_state.ts";
import type { BatchOptions, ObjectReader } from "#/storage/object_store.ts";

/**
 * Looks up what is to be restored, oldest first. A rollback id (or a unique beginning of one) stands for every version
 * of that operation; those that are back already are left out.
 * @throws {RollbackVersionNotFoundError} nothing to restore from
 * @throws {RollbackAlreadyRolledBackError} all of it is there
 */
export async function inspectTargets(
  store: ObjectReader,
  index: RepositoryIndex,
  wanted: string,
  options: BatchOptions,
): Promise<readonly Restorable[]> {
  const sources = await sourcesOf(store, index, wanted);
  if (sources.length === 0) return [await inspectRestorable(store, index, wanted, options)];
  const targets: Restorable[] = [];
  let there: RollbackAlreadyRolledBackError | undefined;
  for (const source of sources) {
    try {
      targets.push(await inspectRestorable(store, index, source, options));
    } catch (error) {
      if (!(error instanceof RollbackAlreadyRolledBackError)) throw error;
      there = error;
    }
  }
  if (targets.length === 0) throw there!;
  return withoutRepeats(oldestFirst(targets));
}

/** What an operation id stands for, as backups or, where it made none, as versions; empty when it is no such id. */
async function sourcesOf(
  store: ObjectReader,
  index: RepositoryIndex,
  wanted: string,
): Promise<readonly string[]> {
  if (stateOf(index, wanted) !== "absent") return [];
  const names = await listBackupNames(store);
  if (names.some((name) => name === wanted || parseBackupFolderName(name)?.version === wanted)) return [];
  const backups = await backupsOfOperation(store, names, wanted);
  const saved = new Set(backups.map(({ manifest }) => manifest.version));
  const stones = (index.rolled_back ?? []).filter((stone) =>
    wanted.length >= 8 && stone.rollback_id?.startsWith(wanted) === true
  );
  const ids = new Set([
    ...backups.map(({ manifest }) => manifest.rollback_id),
    ...stones.map((stone) => stone.rollback_id),
  ]);
  if (ids.size > 1) {
    throw new RollbackBackupError(`${quoteShort(wanted)} names ${ids.size} operations`, {
      hint: `Give one of them: ${[...ids].slice(0, 5).join(", ")}`,
    });
  }
  return [
    ...backups.map(({ name }) => name),
    ...stones.map((stone) => stone.version).filter((version) => !saved.has(version)),
  ];
}

/** So that each finds the one that it stood before in its place. */
function oldestFirst(targets: readonly Restorable[]): readonly Restorable[] {
  const sorted: Restorable[] = [];
  let left = targets;
  while (left.length > 0) {
    const versions = new Set(left.map((target) => target.version));
    const free = left.filter((target) => target.older === null || !versions.has(target.older));
    const next = free.length > 0 ? free : left;
    sorted.push(...next);
    left = left.filter((target) => !next.includes(target));
  }
  return sorted;
}

/** A file that several versions list is put back once. */
export function withoutRepeats(targets: readonly Restorable[]): readonly Restorable[] {
  const seen = new Set<string>();
  return targets.map((target) => {
    const files = target.files.filter((file) => !seen.has(file.path));
    files.forEach((file) => seen.add(file.path));
    return { ...target, files };
  });
}
