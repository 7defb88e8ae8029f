/** How the reports tell of targets, checks and confirmations. */
import type { CheckOutcome, OperationReport, StepReport, TargetOutcome } from "#/report/model.ts";
import { count, formatBytes, formatDuration } from "#/report/units.ts";
import { truncate, visible } from "#/report/visible.ts";

type Change = TargetOutcome["changes"][number];

const LONGEST_FACT = 200;
/** Of the facts of a target those that people look for, by the names that targets give them. */
const KNOWN_FACTS: readonly (readonly [key: string, label: string])[] = [
  ["commit_hash", "commit"],
  ["branch", "branch"],
  ["database_name", "database"],
  ["server_version", "server"],
  ["workspace", "workspace"],
];

/** `restored: 3 changed, 1 removed, 12 KiB in 0.1 s`. */
export function describeTarget(target: TargetOutcome, dryRun: boolean): string {
  const parts = [...amounts(target, dryRun)];
  const took = target.seconds > 0 && !dryRun && parts.length > 0
    ? ` in ${formatDuration(target.seconds)}`
    : "";
  const words = targetWords[target.status];
  return parts.length === 0 ? words : `${words}: ${parts.join(", ")}${took}`;
}

function amounts(target: TargetOutcome, dryRun: boolean): readonly string[] {
  const { status, files, bytes, stored_bytes, changed, removed } = target;
  switch (status) {
    case "captured":
      return [
        ...(files > 0 ? [count(files, "file")] : []),
        formatBytes(bytes),
        ...(dryRun ? [] : [`${formatBytes(stored_bytes)} new in the store`]),
      ];
    case "planned":
    case "restored":
    case "failed":
    case "taken_back":
      return [
        ...(changed > 0 ? [`${changed} ${dryRun || status === "planned" ? "to change" : "changed"}`] : []),
        ...(removed > 0 ? [`${removed} ${dryRun || status === "planned" ? "to remove" : "removed"}`] : []),
      ];
    case "unchanged":
    case "skipped":
      return [];
    default:
      return status satisfies never;
  }
}

export const targetWords: Readonly<Record<TargetOutcome["status"], string>> = {
  planned: "planned",
  captured: "saved",
  restored: "restored",
  unchanged: "is as in the snapshot",
  failed: "failed",
  taken_back: "taken back",
  skipped: "not touched",
};

/** What a target was, in facts of its own: `commit 0a1b2c3d`, `branch main`. */
export function targetFacts(target: TargetOutcome): readonly string[] {
  return KNOWN_FACTS.flatMap(([key, label]) => {
    const value = target.metadata[key];
    if (typeof value !== "string" || value === "") return [];
    return [`${label} ${truncate(visible(value), LONGEST_FACT)}`];
  });
}

/** `replace /etc/app.conf (1.2 KiB)`, `remove /etc/app.d/new: came later`. */
export function changeLine(change: Change): string {
  const size = change.bytes === undefined || change.action === "remove"
    ? ""
    : ` (${formatBytes(change.bytes)})`;
  const detail = change.detail === undefined ? "" : `: ${visible(change.detail)}`;
  return `${change.action.padEnd(10)} ${visible(change.path)}${size}${detail}`;
}

/** How a check is to be taken: a failed advisory one is a warning. */
export function checkWord(check: CheckOutcome): "passed" | "failed" | "advisory" {
  if (check.passed) return "passed";
  return check.required ? "failed" : "advisory";
}

/** By when to confirm, and what happens otherwise; undefined where the restore stands. */
export function tellsConfirmation(report: OperationReport): string | undefined {
  const by = report.snapshot?.confirm_by ?? null;
  if (by === null || report.dry_run) return undefined;
  return `by ${visible(by)} with \`backout confirm\`, or everything is taken back`;
}

/** The steps that a question shows: one for each target with its changes below it, at most `most` lines. */
export function planLines(report: OperationReport, most: number): readonly string[] {
  const targets = (report.snapshot?.targets ?? []).filter((target) => target.status !== "unchanged");
  if (targets.length === 0) return stepLines(report.steps, most);
  const unchanged = (report.snapshot?.targets.length ?? 0) - targets.length;
  // Every target is named, whatever the first of them has to tell.
  const each = Math.max(0, Math.floor((most - targets.length - (unchanged > 0 ? 1 : 0)) / targets.length));
  const lines = targets.slice(0, most).flatMap((target) => {
    const all = target.changes;
    const shown = all.length <= each ? all : all.slice(0, Math.max(0, each - 1));
    const hidden = Math.max(all.length, target.changed + target.removed) - shown.length;
    return [
      `  ${visible(target.name)} (${visible(target.type)}): ${describeTarget(target, true)}`,
      ...shown.map((change) => `    ${changeLine(change)}`),
      ...(hidden > 0 && each > 0 ? [`    and ${count(hidden, "more change")}`] : []),
    ];
  });
  return [
    ...lines,
    ...(unchanged > 0 ? [`  ${count(unchanged, "target")} as in the snapshot already`] : []),
  ];
}

function stepLines(steps: readonly StepReport[], most: number): readonly string[] {
  const hidden = steps.length - most;
  return [
    ...steps.slice(0, most).map((step, i) => `  ${i + 1}. ${visible(step.description)}`),
    ...(hidden > 0 ? [`  and ${count(hidden, "more step")}`] : []),
  ];
}
