/** What Prometheus reads of a workspace: its rollback points and how restores went. */
import { gauge, renderMetric, unixSeconds } from "./metrics.ts";

/** Plain numbers. Null is "unknown": then there is no sample at all. */
export interface SnapshotMetricsInput {
  readonly workspace: string;
  readonly snapshots: number;
  readonly snapshots_last_hour: number;
  readonly snapshots_last_day: number;
  /** RFC 3339. */
  readonly newest_at: string | null;
  readonly restores: number;
  /** From 0 to 1. */
  readonly restore_success_rate: number | null;
  readonly mean_snapshot_seconds: number | null;
  readonly mean_restore_seconds: number | null;
  /** From 0 to 1. */
  readonly verification_pass_rate: number | null;
  readonly store_bytes: number;
}

/** Metrics of their own names, so that they can stand in one file with those of a repository. Ends with a newline. */
export function renderSnapshotMetrics(input: SnapshotMetricsInput): string {
  const metrics = [
    gauge("backout_snapshots", "Snapshots of this workspace that are kept.", input.snapshots),
    gauge("backout_snapshots_last_hour", "Snapshots taken in the last hour.", input.snapshots_last_hour),
    gauge("backout_snapshots_last_day", "Snapshots taken in the last day.", input.snapshots_last_day),
    gauge(
      "backout_newest_snapshot_timestamp_seconds",
      "When the newest snapshot was taken.",
      unixSeconds(input.newest_at),
    ),
    gauge("backout_snapshot_restores", "Restores in the history.", input.restores),
    gauge(
      "backout_snapshot_restore_success_ratio",
      "Restores that succeeded, of those in the history.",
      input.restore_success_rate,
    ),
    gauge(
      "backout_snapshot_mean_seconds",
      "How long a snapshot takes on average.",
      input.mean_snapshot_seconds,
    ),
    gauge(
      "backout_snapshot_restore_mean_seconds",
      "How long a restore takes on average.",
      input.mean_restore_seconds,
    ),
    gauge(
      "backout_snapshot_verification_pass_ratio",
      "Restores that passed their checks, of those that came to them.",
      input.verification_pass_rate,
    ),
    gauge("backout_snapshot_store_bytes", "Bytes in the snapshot store.", input.store_bytes),
  ];
  return metrics.map((metric) => renderMetric(metric, { workspace: input.workspace })).join("");
}
