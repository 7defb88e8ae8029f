/** What a report says in short facts, for the reports that people read in a browser. */
import { ExitCode } from "#/core/errors.ts";
import type { OperationReport, RuleResult } from "#/report/model.ts";
import { count, formatBytes, formatDuration } from "#/report/units.ts";
import { describeTarget, tellsConfirmation } from "#/report/snapshot_words.ts";
import { truncate, visible } from "#/report/visible.ts";
import {
  describeBackup,
  describeChannelMove,
  describeRecovery,
  failureKind,
  isWorkspaceOperation,
  operationWords,
} from "#/report/words.ts";

export type Tone = "good" | "warn" | "bad" | "plan";

export interface Verdict {
  readonly tone: Tone;
  /** The outcome in a few words: never by colour alone. */
  readonly words: string;
}

/** A label and what is said about it: plain text, control characters spelt out, not yet escaped for any format. */
export interface Fact {
  readonly label: string;
  readonly value: string;
}

const LONGEST_TITLE = 80;
const MOST_LINES = 20;

/** How it ended. */
export function verdict(report: OperationReport): Verdict {
  if (report.status === "partial") return { tone: "warn", words: "Done, but a check failed" };
  if (report.error === null && report.exit_code === ExitCode.done) return goodEnding(report);
  if (report.dry_run) {
    const wouldFail = report.exit_code === ExitCode.dryRun;
    return {
      tone: "bad",
      words: wouldFail ? "Dry run: a real run would fail" : "Dry run: a real run would be refused",
    };
  }
  const kind = failureKind(report.exit_code);
  switch (kind) {
    case "refused":
      return { tone: "bad", words: "Refused: nothing was changed" };
    case "taken_back":
      return { tone: "bad", words: "Failed, and taken back" };
    case "needs_person":
      return { tone: "bad", words: "Unfinished: needs a person" };
    case "failed":
      return { tone: "bad", words: "Failed" };
    default:
      return kind satisfies never;
  }
}

function goodEnding(report: OperationReport): Verdict {
  if (report.dry_run) return { tone: "plan", words: "Dry run: nothing was changed" };
  const warnings = report.warnings.length;
  return warnings === 0
    ? { tone: "good", words: "Done" }
    : { tone: "good", words: `Done, with ${count(warnings, "warning")}` };
}

/** `Rollback of v1.0.2`, `Rollback of 12 releases`, `Channel change`. */
export function titleOf(report: OperationReport): string {
  const { noun } = operationWords[report.operation];
  const what = noun.charAt(0).toUpperCase() + noun.slice(1);
  if (report.versions.length > 3) return `${what} of ${count(report.versions.length, "release")}`;
  if (report.version === "") return what;
  return truncate(`${what} of ${visible(report.version.replaceAll(",", ", "))}`, LONGEST_TITLE);
}

/** What, where, when, who and why. */
export function circumstances(report: OperationReport): readonly Fact[] {
  const type = report.rollback_type === null ? "" : ` (${report.rollback_type})`;
  return present([
    ["What", titleOf(report) + type],
    ["Versions changed", report.versions.length > 1 ? versionList(report.versions) : undefined],
    ["Where", where(report)],
    ["When", visible(report.timestamp)],
    ["Who", `${visible(report.by)} on ${visible(report.host)}`],
    ["Why", report.reason === "" ? "no reason given" : visible(report.reason)],
    ["Policy", report.policy_mode + (report.forced ? ", forced" : "")],
  ]);
}

function where(report: OperationReport): string {
  const place = visible(report.repository_location);
  return isWorkspaceOperation(report) ? place : `${place} (${report.repository_type})`;
}

/** What came of it, in numbers. */
export function results(report: OperationReport): readonly Fact[] {
  if (isWorkspaceOperation(report)) return snapshotResults(report);
  const added = report.artifacts_restored.length + report.artifacts_published.length;
  const done = report.status === "success" || report.status === "partial";
  return present([
    ["Exit code", String(report.exit_code)],
    ["Took", report.dry_run ? undefined : formatDuration(report.rollback_duration_seconds)],
    [
      "Estimated time",
      report.estimated_duration_seconds === null || !report.dry_run
        ? undefined
        : formatDuration(report.estimated_duration_seconds),
    ],
    ["Operation id", visible(report.rollback_id ?? "none (nothing was run)")],
    ["Index", indexChange(report)],
    ...limited(report.channels_moved.map((move): Pair => ["Channel", describeChannelMove(move)]), "channel"),
    [
      report.dry_run ? "Would leave the tree" : "Left the tree",
      report.total_artifacts_removed === 0
        ? undefined
        : `${count(report.total_artifacts_removed, "artifact")}, ${formatBytes(report.total_bytes_freed)}`,
    ],
    [
      report.dry_run ? "Would be added" : "Added to the tree",
      added === 0 ? undefined : `${count(added, "artifact")}, ${formatBytes(report.total_bytes_added)}`,
    ],
    [
      "Kept",
      report.artifacts_kept.length === 0
        ? undefined
        : `${count(report.artifacts_kept.length, "artifact")} that another release lists too`,
    ],
    ...limited(backups(report), "backup"),
    [
      "Space really freed",
      done && report.bytes_reclaimed > 0 ? formatBytes(report.bytes_reclaimed) : undefined,
    ],
    ["Audit log", auditLog(report)],
    ...report.recovered.map((one): Pair => ["Recovered first", describeRecovery(one)]),
  ]);
}

function snapshotResults(report: OperationReport): readonly Fact[] {
  const { targets = [], checks = [], safety_id = null } = report.snapshot ?? {};
  const failed = checks.filter((check) => !check.passed).length;
  return present([
    ["Exit code", String(report.exit_code)],
    ["Took", report.dry_run ? undefined : formatDuration(report.rollback_duration_seconds)],
    ["Operation id", visible(report.rollback_id ?? "none (nothing was run)")],
    ...limited(
      targets.map((target): Pair => [
        "Target",
        `${visible(target.name)} (${visible(target.type)}): ${describeTarget(target, report.dry_run)}`,
      ]),
      "target",
    ),
    [
      "Checks",
      checks.length === 0 ? undefined : `${checks.length - failed} of ${checks.length} passed`,
    ],
    ["State before", safety_id === null ? undefined : `kept as ${visible(safety_id)}`],
    ["To be confirmed", tellsConfirmation(report)],
    ["Audit log", auditLog(report)],
    ...report.recovered.map((one): Pair => ["Recovered first", describeRecovery(one)]),
  ]);
}

/** What was denied first: it is why somebody reads this. Otherwise in the order of the rules. */
export function rulesByOutcome(rules: readonly RuleResult[]): readonly RuleResult[] {
  const order: Readonly<Record<RuleResult["outcome"], number>> = { deny: 0, warn: 1, pass: 2 };
  return rules.toSorted((a, b) => order[a.outcome] - order[b.outcome]);
}

type Pair = readonly [label: string, value: string | undefined];

function present(pairs: readonly Pair[]): readonly Fact[] {
  return pairs.flatMap(([label, value]) => value === undefined ? [] : [{ label, value }]);
}

function limited(pairs: readonly Pair[], noun: string): readonly Pair[] {
  if (pairs.length <= MOST_LINES) return pairs;
  const hidden = pairs.length - MOST_LINES;
  return [...pairs.slice(0, MOST_LINES), [pairs[0]![0], `and ${count(hidden, `more ${noun}`)}`]];
}

function versionList(versions: readonly string[]): string {
  const shown = versions.slice(0, MOST_LINES).map(visible).join(", ");
  return versions.length > MOST_LINES ? `${shown} and ${versions.length - MOST_LINES} more` : shown;
}

function indexChange(report: OperationReport): string {
  if (report.index_updated) return `serial ${report.serial_before} → ${report.serial_after}`;
  return report.serial_before > 0 ? `not changed (serial ${report.serial_before})` : "not changed";
}

/** Says it where artifacts are gone for good: nobody should find that out later. */
function backups(report: OperationReport): readonly Pair[] {
  if (report.backup.length > 0) {
    return report.backup.map((one): Pair => ["Backup", `${visible(one.id)} (${describeBackup(one)})`]);
  }
  const gone = report.operation === "rollback" && report.total_artifacts_removed > 0 &&
    !report.dry_run && !report.backup_created;
  return gone ? [["Backup", "none: the artifacts are gone for good"]] : [];
}

function auditLog(report: OperationReport): string {
  if (!report.audit_log_created) return "not written";
  return report.audit_log_signed ? "written, signed" : "written, not signed";
}
