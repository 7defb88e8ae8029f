/** Numbers of a repository that `status` and the metrics share. */
import { ExitCode } from "#/core/errors.ts";
import { idTime } from "#/core/ids.ts";
import { historyIds, type HistoryRecord, readHistory } from "#/operation/history.ts";
import { listBackupNames, loadManifest } from "#/repository/backup_folder.ts";
import { filesWithoutManifest } from "#/repository/backup_files.ts";
import type { LockView, StatusView } from "#/repository/views.ts";
import { mapLimited, READS_AT_ONCE } from "#/storage/limit.ts";
import type { ObjectReader } from "#/storage/object_store.ts";

type Recent = NonNullable<StatusView["recent_operations"]>;
type Outcome = Exclude<keyof Recent, "days">;

const RECENT_DAYS = 30;
const DAY_MS = 86_400_000;
const DENIALS: ReadonlySet<number> = new Set([ExitCode.policyViolation, ExitCode.dependency]);

/** How the operations of the last days ended. Only their records are read. */
export async function recentOperations(store: ObjectReader, now: Date): Promise<Recent> {
  const since = new Date(now.getTime() - RECENT_DAYS * DAY_MS).toISOString();
  const ids = (await historyIds(store)).filter((id) => (idTime(id) ?? "") >= since);
  const records = await mapLimited(ids, READS_AT_ONCE, (id) => readHistory(store, id));
  const counts: Record<Outcome, number> = { success: 0, partial: 0, denied: 0, failed: 0, dry_run: 0 };
  for (const record of records) if (record !== undefined) counts[outcomeOf(record)]++;
  return { days: RECENT_DAYS, ...counts };
}

function outcomeOf({ dry_run, status, exit_code }: HistoryRecord): Outcome {
  if (dry_run) return "dry_run";
  if (DENIALS.has(exit_code)) return "denied";
  return status === "success" || status === "partial" ? status : "failed";
}

/** The bytes in each backup's folder. */
export async function backupSizes(store: ObjectReader): Promise<readonly number[]> {
  return await mapLimited(await listBackupNames(store), READS_AT_ONCE, async (name) => {
    const manifest = await loadManifest(store, name).catch(() => undefined); // `doctor` names a damaged one
    // The bucket's own older versions are not in the folder.
    if (manifest !== undefined) return manifest.stored === "versions" ? 0 : manifest.total_bytes;
    const files = await filesWithoutManifest(store, name);
    return files.reduce((sum, { size }) => sum + size, 0);
  });
}

/** Seconds since the lock was taken; 0 when nobody holds it. */
export function lockAge(lock: LockView | null, now: Date): number {
  if (lock === null) return 0;
  const ms = now.getTime() - Date.parse(lock.since);
  return ms > 0 ? Math.round(ms / 1000) : 0;
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
