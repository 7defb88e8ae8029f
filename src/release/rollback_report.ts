/** What the report of a rollback says: the numbers and lists that follow from what was seen, and one sentence. */
import { largestArtifacts } from "#/report/sizes.ts";
import type { OperationReport } from "#/report/model.ts";
import { hasBackup, outcomeOf, planChannels, type RollbackView } from "#/repository/plan_rollback.ts";
import { count, type Plan, SYMBOLIC } from "#/step/repository_step.ts";

export function describeRollback(view: RollbackView, plan: Plan): Partial<OperationReport> {
  const moved = plan.steps.flatMap((step) => step.kind === "move_artifacts" ? step.files : []);
  const paths = moved.map((file) => file.path);
  const bytes = moved.reduce((sum, file) => sum + file.size, 0);
  const gone = new Set(paths);
  const kept = view.leaving.flatMap((release) => outcomeOf(view, release) === "hidden" ? [] : release.kept)
    .map((artifact) => artifact.path)
    .filter((path) => !gone.has(path)); // another of the leaving releases takes it
  return {
    version: view.leaving.map((release) => release.version).join(","),
    artifacts_removed: paths,
    artifacts_to_remove: paths,
    total_artifacts_removed: paths.length,
    total_bytes_freed: bytes,
    bytes_reclaimed: hasBackup(view) ? 0 : bytes,
    largest_artifacts: largestArtifacts(moved),
    artifacts_kept: [...new Set(kept)],
    channels_moved: planChannels(view, SYMBOLIC).moves,
    index_entry_to_remove: view.leaving[0]?.entry ?? null,
    estimated_duration_seconds: estimate(paths.length, view.noBackup ? 0 : bytes),
  };
}

/** Hashing runs at some 600 MiB/s on two cores and a move costs 10 µs; rounded to hundredths. */
function estimate(files: number, bytes: number): number {
  return Math.round(100 * (0.1 + files * 0.0001 + bytes / (600 * 1024 * 1024))) / 100;
}

export function summarizeRollback(report: OperationReport): string {
  if (report.versions.length === 0) {
    const moved = report.channels_moved.map(({ channel, to }) => `${channel} at ${to}`).join(", ");
    return report.dry_run ? `Would point ${moved}` : `Pointed ${moved}, the last good release`;
  }
  const what = report.versions.length > 3
    ? count(report.versions.length, "release")
    : report.versions.join(", ");
  const moved = count(report.total_artifacts_removed, "artifact");
  if (report.dry_run) return `Would roll back ${what}: ${moved}`;
  if (report.rollback_type === "index_only" && report.total_artifacts_removed === 0) {
    return `Rolled back ${what}: it is out of the index, its artifacts stay`;
  }
  if (report.backup.some((backup) => backup.stored === "versions")) {
    return `Rolled back ${what}: ${moved} deleted; the bucket keeps their versions`;
  }
  return report.backup_created
    ? `Rolled back ${what}: ${moved} moved into the backup`
    : `Rolled back ${what}: ${moved} deleted without a backup`;
}
