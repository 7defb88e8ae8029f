/** The numbers of a workspace: how often snapshots are taken and restored, how it went, and what they take up. */
import { type HistoryRecord, listHistoryRecords } from "#/operation/history.ts";
import type { WorkspaceOptions } from "./options.ts";
import { isOwnSnapshot } from "./snapshot_id.ts";
import { inWorkspace } from "./workspace.ts";

export interface SnapshotNumbers {
  /** Of this workspace, in the store. */
  readonly snapshots: number;
  readonly snapshots_last_hour: number;
  readonly snapshots_last_day: number;
  /** RFC 3339 of the newest; null without one. */
  readonly newest_at: string | null;
  /** Restores that were tried, of those in the history. */
  readonly restores: number;
  /** From 0 to 1; null without any. */
  readonly restore_success_rate: number | null;
  readonly mean_snapshot_seconds: number | null;
  readonly mean_restore_seconds: number | null;
  /** Restores that passed their verification and checks, of those that came to them; null without any. */
  readonly verification_pass_rate: number | null;
  readonly store_bytes: number;
}

/** More than that nobody averages over. */
const MOST_RECORDS = 10_000;
const HOUR_MS = 3_600_000;

export function snapshotNumbers(options: WorkspaceOptions): Promise<SnapshotNumbers> {
  return inWorkspace(options, async (workspace) => {
    const store = await workspace.store();
    const { snapshots } = await store.listSnapshots();
    const own = snapshots.filter((snapshot) => isOwnSnapshot(workspace, snapshot));
    const now = workspace.scope.now().getTime();
    const since = (ms: number) => own.filter(({ created_at }) => now - Date.parse(created_at) <= ms).length;
    const records = (await listHistoryRecords(workspace.scope.store, MOST_RECORDS)).filter((it) =>
      !it.dry_run
    );
    const restores = records.filter(({ operation }) => operation === "snapshot_restore");
    const done = restores.filter(({ status }) => status === "success" || status === "partial");
    const taken = records.filter((it) => it.operation === "snapshot_create" && it.status === "success");
    return {
      snapshots: own.length,
      snapshots_last_hour: since(HOUR_MS),
      snapshots_last_day: since(24 * HOUR_MS),
      newest_at: own.at(-1)?.created_at ?? null,
      restores: restores.length,
      restore_success_rate: share(
        restores.filter(({ status }) => status === "success").length,
        restores.length,
      ),
      mean_snapshot_seconds: mean(taken.map(secondsOf)),
      mean_restore_seconds: mean(done.map(secondsOf)),
      verification_pass_rate: share(done.filter(({ status }) => status === "success").length, done.length),
      store_bytes: (await store.usage()).bytes,
    };
  });
}

function secondsOf({ started_at, finished_at }: HistoryRecord): number {
  return (Date.parse(finished_at) - Date.parse(started_at)) / 1000;
}

function share(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}
