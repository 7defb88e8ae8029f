/** The text report: everything an operation did, for a file or a reader with time. */
import { ExitCode } from "#/core/errors.ts";
import type { OperationReport, RuleResult, StepReport, VerificationResult } from "#/report/model.ts";
import type { Styler } from "#/report/style.ts";
import { count, formatBytes, formatDuration } from "#/report/units.ts";
import { pad, visible, visibleLines } from "#/report/visible.ts";
import {
  describeBackup,
  describeChannelMove,
  describeRecovery,
  operationWords,
  stateAfterFailure,
} from "#/report/words.ts";

export interface ReportTextOptions {
  /** Show lists whole; otherwise the first 20 artifacts and how many more there are. */
  readonly verbose: boolean;
}

const SHORT_LIST = 20;
const LABEL_WIDTH = 21;

type Lines = readonly string[];
type Fact = readonly [label: string, value: string | undefined];

/** The whole report as text. A rollback's has the title `ROLLBACK REPORT`. Ends with a newline. */
export function renderReport(report: OperationReport, style: Styler, options: ReportTextOptions): string {
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

function paintStatus(report: OperationReport, style: Styler): string {
  switch (report.status) {
    case "success":
      return style.green("success");
    case "failed":
      return style.red("failed");
    case "partial":
      return style.yellow("partial");
    case "dry_run":
      return style.cyan("dry run");
    default:
      return report.status satisfies never;
  }
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

/** A check that was never reached (a lock, no permission, …) has not failed: only `failure` says that it did. */
function preflightLine(
  report: OperationReport,
  passed: boolean,
  what: string,
  failure: ExitCode,
  style: Styler,
): string {
  const reached = passed || report.policy.length > 0 || report.exit_code === failure;
  return reached ? verdict(passed, what, style) : `  ${style.dim("[----]")} ${what}: not looked at`;
}

function verdict(passed: boolean, what: string, style: Styler): string {
  return `  ${passed ? style.green("[pass]") : style.red("[FAIL]")} ${what}`;
}

function ruleLine(rule: RuleResult, style: Styler): string {
  const mark = { pass: style.green("[pass]"), warn: style.yellow("[warn]"), deny: style.red("[DENY]") };
  const hint = rule.hint === undefined || rule.outcome === "pass" ? "" : ` (${visible(rule.hint)})`;
  return `    ${mark[rule.outcome]} ${visible(rule.id)}: ${visible(rule.reason)}${hint}`;
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

function auditLog(report: OperationReport): string {
  if (!report.audit_log_created) return "not written";
  return report.audit_log_signed ? "written, signed" : "written, not signed";
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

function stepSection(report: OperationReport, style: Styler): readonly Lines[] {
  if (report.steps.length === 0) return [];
  const title = report.dry_run ? `Plan (${count(report.steps.length, "step")})` : "Steps";
  return [section(title, numberedSteps(report.steps, style), style)];
}

/** `  1. Write the backup's manifest  [done, 4 ms]`; a planned step has no mark. */
export function numberedSteps(steps: readonly StepReport[], style: Styler): Lines {
  const digits = String(steps.length).length;
  return steps.map((step, index) =>
    `  ${pad(`${index + 1}.`, digits + 1, "left")} ${visible(step.description)}${stepMark(step, style)}`
  );
}

function stepMark(step: StepReport, style: Styler): string {
  switch (step.status) {
    case "planned":
      return "";
    case "done":
      return style.dim(`  [done, ${formatDuration(step.seconds)}]`);
    case "skipped":
      return style.dim("  [skipped]");
    case "failed":
      return style.red("  [FAILED]");
    case "taken_back":
      return style.yellow("  [taken back]");
    default:
      return step.status satisfies never;
  }
}

function verificationSection(report: OperationReport, style: Styler): readonly Lines[] {
  if (report.verification.length === 0) return [];
  return [section("Verification", report.verification.map((one) => verificationLine(one, style)), style)];
}

function verificationLine(result: VerificationResult, style: Styler): string {
  return verdict(result.passed, `${visible(result.check)}: ${visible(result.detail)}`, style);
}

function errors(report: OperationReport, style: Styler): Lines {
  const messages = report.errors.length > 0
    ? report.errors
    : report.error === null
    ? []
    : [report.error.message];
  const hint = report.error?.hint ?? null;
  return [
    ...bullets(messages, style.red),
    ...(hint === null ? [] : indented(`What to do: ${visibleLines(hint)}`, "    ")),
  ];
}

function summary(report: OperationReport, style: Styler): Lines {
  const after = report.error === null ? undefined : stateAfterFailure(report);
  return [`  ${style.bold(visible(report.summary))}`, ...(after === undefined ? [] : [`  ${after}`])];
}

function section(title: string, body: Lines, style: Styler): Lines {
  return [style.bold(title), "-".repeat(title.length), ...body];
}

function facts(list: readonly Fact[]): Lines {
  return list.flatMap(([label, value]) =>
    value === undefined ? [] : [`  ${pad(`${label}:`, LABEL_WIDTH)} ${value}`]
  );
}

function bullets(messages: readonly string[], paint: (text: string) => string): Lines {
  if (messages.length === 0) return ["  none"];
  return messages.flatMap((message) => {
    const [first, ...rest] = visibleLines(message).split("\n");
    return [`  ${paint("-")} ${first}`, ...rest.map((line) => `    ${line}`)];
  });
}

function indented(text: string, by: string): Lines {
  return text.split("\n").map((line) => by + line);
}

function yesNo(value: boolean): string {
  return value ? "yes" : "no";
}
