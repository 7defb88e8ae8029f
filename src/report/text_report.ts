/** The text report: everything an operation did, for a file or a reader with time. */
import { ExitCode } from "#/core/errors.ts";
import type { OperationReport } from "#/report/model.ts";
import { renderSnapshotReport } from "#/report/snapshot_report.ts";
import type { Styler } from "#/report/style.ts";
import {
  auditLog,
  bullets,
  errors,
  type Fact,
  facts,
  type Lines,
  paintStatus,
  preflightLine,
  type ReportTextOptions,
  ruleLine,
  section,
  stepSection,
  summary,
  verificationSection,
  yesNo,
} from "#/report/text_parts.ts";
import { count, formatBytes, formatDuration } from "#/report/units.ts";
import { visible } from "#/report/visible.ts";
import {
  describeBackup,
  describeChannelMove,
  describeRecovery,
  isWorkspaceOperation,
  operationWords,
} from "#/report/words.ts";

export { numberedSteps, type ReportTextOptions } from "#/report/text_parts.ts";

const SHORT_LIST = 20;

/** The whole report as text. A rollback's has the title `ROLLBACK REPORT`. Ends with a newline. */
export function renderReport(report: OperationReport, style: Styler, options: ReportTextOptions): string {
  if (isWorkspaceOperation(report)) return renderSnapshotReport(report, style, options);
  const sections: Lines[] = [
    heading(report, style),
    section("Pre-flight checks", preflight(report, style), style),
    section("Details", facts(details(report)), style),
    ...artifactSections(report, style, options),
    ...stepSection(report, style),
    ...verificationSection(report, style),
    section("Warnings", bullets(report.warnings, style.yellow), style),
    section("Errors", errors(report, style), style),
    section("Summary", summary(report, style), style),
  ];
  return sections.map((lines) => lines.join("\n")).join("\n\n") + "\n";
}

function heading(report: OperationReport, style: Styler): Lines {
  const title = operationWords[report.operation].title;
  return [style.bold(title), "=".repeat(title.length), "", ...facts(headingFacts(report, style))];
}

function headingFacts(report: OperationReport, style: Styler): readonly Fact[] {
  return [
    ["Version", report.version === "" ? undefined : visible(report.version)],
    ["Versions changed", report.versions.length > 1 ? report.versions.map(visible).join(", ") : undefined],
    ["Status", paintStatus(report, style)],
    ["Exit code", String(report.exit_code)],
    ["Time", visible(report.timestamp)],
    ["Repository", `${visible(report.repository_location)} (${report.repository_type})`],
  ];
}

function preflight(report: OperationReport, style: Styler): Lines {
  return [
    preflightLine(report, report.version_exists, "version exists", ExitCode.notFound, style),
    preflightLine(
      report,
      report.policy_passed,
      `policy (${report.policy_mode})`,
      ExitCode.policyViolation,
      style,
    ),
    preflightLine(
      report,
      report.dependencies_satisfied,
      "dependencies satisfied",
      ExitCode.dependency,
      style,
    ),
    ...report.policy.map((rule) => ruleLine(rule, style)),
  ];
}

function details(report: OperationReport): readonly Fact[] {
  const done = report.status === "success" || report.status === "partial";
  return [
    ["Rollback type", report.rollback_type ?? undefined],
    [
      report.operation === "rollback" ? "Rollback id" : "Operation id",
      visible(report.rollback_id ?? "none (nothing was run)"),
    ],
    ["Reason", report.reason === "" ? "none given" : visible(report.reason)],
    ["By", `${visible(report.by)} on ${visible(report.host)}`],
    ["Dry run", yesNo(report.dry_run)],
    ["Forced", yesNo(report.forced)],
    ["Index", indexChange(report)],
    ...report.channels_moved.map((move): Fact => ["Channel", describeChannelMove(move)]),
    ...backupFacts(report),
    [
      report.dry_run ? "Would leave the tree" : "Left the tree",
      report.total_artifacts_removed > 0 || report.operation === "rollback"
        ? `${count(report.total_artifacts_removed, "artifact")}, ${formatBytes(report.total_bytes_freed)}`
        : undefined,
    ],
    ["Added to the tree", addedArtifacts(report)],
    ["Space really freed", done ? formatBytes(report.bytes_reclaimed) : undefined],
    ["Manifest file", report.manifest_created ? "written" : "not written"],
    ["Audit log", auditLog(report)],
    ...report.recovered.map((one): Fact => ["Recovered first", describeRecovery(one)]),
    ["Duration", report.dry_run ? undefined : formatDuration(report.rollback_duration_seconds)],
    [
      "Estimated duration",
      report.estimated_duration_seconds === null || !report.dry_run
        ? undefined
        : formatDuration(report.estimated_duration_seconds),
    ],
    ["Undo", report.undo === null ? undefined : visible(report.undo)],
  ];
}

function indexChange(report: OperationReport): string {
  if (report.index_updated) return `updated, serial ${report.serial_before} → ${report.serial_after}`;
  return report.serial_before > 0 ? `not changed (serial ${report.serial_before})` : "not changed";
}

function backupFacts(report: OperationReport): readonly Fact[] {
  if (report.backup.length === 0) {
    return report.operation === "rollback" ? [["Backup", report.backup_created ? "made" : "none made"]] : [];
  }
  return report.backup.flatMap((backup): Fact[] => [
    ["Backup", `${visible(backup.id)} (${describeBackup(backup)})`],
    ["Backup location", visible(backup.location)],
  ]);
}

function addedArtifacts(report: OperationReport): string | undefined {
  const added = report.artifacts_restored.length + report.artifacts_published.length;
  if (added === 0) return undefined;
  return `${count(added, "artifact")}, ${formatBytes(report.total_bytes_added)}`;
}

function artifactSections(
  report: OperationReport,
  style: Styler,
  options: ReportTextOptions,
): readonly Lines[] {
  const list = (title: string, paths: readonly string[], always = false): readonly Lines[] =>
    paths.length === 0 && !always
      ? []
      : [section(`${title} (${paths.length})`, artifactLines(paths, options), style)];
  return [
    // A dry run removes nothing: its report lists what a real run would remove, under that name.
    ...list(
      "Removed artifacts",
      report.dry_run ? [] : report.artifacts_removed,
      report.operation === "rollback",
    ),
    ...list("Artifacts to remove", report.dry_run ? report.artifacts_to_remove : []),
    ...list("Restored artifacts", report.artifacts_restored),
    ...list("Published artifacts", report.artifacts_published),
    ...list("Kept, because another release lists them", report.artifacts_kept),
  ];
}

function artifactLines(paths: readonly string[], options: ReportTextOptions): Lines {
  if (paths.length === 0) return ["  none"];
  const shown = options.verbose || paths.length <= SHORT_LIST + 1 ? paths : paths.slice(0, SHORT_LIST);
  const lines = shown.map((path) => `  ${visible(path)}`);
  const hidden = paths.length - shown.length;
  return hidden === 0 ? lines : [...lines, `  and ${hidden} more`];
}
