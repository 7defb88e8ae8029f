/** The workspace's part of `status`. */
import { count, formatBytes, formatDuration } from "#/report/mod.ts";
import type { WorkspaceStatus } from "#/snapshot/workspace_status.ts";
import { describeLock, factLines, timeAndAge } from "./view_text.ts";

export function workspaceText(view: WorkspaceStatus): string {
  const now = new Date();
  const { numbers, lock, waiting, last_operation: last } = view;
  return factLines([
    ["Workspace", view.workspace],
    ["Targets", view.targets.length === 0 ? "none configured" : view.targets.join(", ")],
    ["Checks", view.checks === 0 ? undefined : String(view.checks)],
    ["Snapshots", snapshots(view)],
    ["Newest", numbers.newest_at === null ? undefined : timeAndAge(numbers.newest_at, now)],
    ["Restores", restores(view)],
    ["Store", `${formatBytes(numbers.store_bytes)} in ${view.store}`],
    ["Lock", lock === null ? "free" : describeLock(lock, now)],
    [
      "Waiting",
      waiting === null
        ? undefined
        : `the restore of ${waiting.snapshot} is taken back at ${waiting.until}: run \`backout confirm\``,
    ],
    ...view.killed_guards.map(({ snapshot, program }): readonly [string, string] => [
      "Guard",
      `that of ${program} was killed and took nothing back; run \`backout snapshot restore ${snapshot}\`, or delete it`,
    ]),
    ...view.unfinished.map((one): readonly [string, string] => [
      "Unfinished",
      `${one.operation} (${one.id}): run \`backout recover\``,
    ]),
    [
      "Last operation",
      last === null ? "none" : `${last.summary} (${last.status}, ${timeAndAge(last.finished_at, now)})`,
    ],
  ]);
}

function snapshots({ numbers }: WorkspaceStatus): string {
  const { snapshots, snapshots_last_hour, snapshots_last_day, mean_snapshot_seconds } = numbers;
  const parts = [
    `${snapshots} kept`,
    `${snapshots_last_hour} in the last hour`,
    `${snapshots_last_day} in the last day`,
    ...(mean_snapshot_seconds === null ? [] : [`${formatDuration(mean_snapshot_seconds)} on average`]),
  ];
  return parts.join(", ");
}

function restores({ numbers }: WorkspaceStatus): string {
  const { restores, restore_success_rate, mean_restore_seconds, verification_pass_rate } = numbers;
  if (restores === 0) return "none yet";
  return [
    count(restores, "restore"),
    ...(restore_success_rate === null ? [] : [`${percent(restore_success_rate)} succeeded`]),
    ...(verification_pass_rate === null ? [] : [`${percent(verification_pass_rate)} of the checks passed`]),
    ...(mean_restore_seconds === null ? [] : [`${formatDuration(mean_restore_seconds)} on average`]),
  ].join(", ");
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}
