/** The text report of an operation on rollback points: what became of each target, the checks, and the way back. */
import { ExitCode } from "#/core/errors.ts";
import type { OperationKind, OperationReport, SnapshotOutcome, TargetOutcome } from "#/report/model.ts";
import { renderPruneTable } from "#/report/prune_report.ts";
import {
  changeLine,
  checkWord,
  describeTarget,
  targetFacts,
  tellsConfirmation,
} from "#/report/snapshot_words.ts";
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
import { count, formatDuration } from "#/report/units.ts";
import { visible } from "#/report/visible.ts";
import { describeRecovery, operationWords } from "#/report/words.ts";

const MOST_CHANGES = 20;

/** They are about no snapshot that is there already. */
const UNNAMED: ReadonlySet<OperationKind> = new Set<OperationKind>([
  "snapshot_create",
  "snapshot_prune",
  "guard",
]);

/** It goes to a version, a lock file or a changeset, not to a snapshot. */
function ofComponents({ operation }: OperationReport): boolean {
  return /^(component|changeset)_/.test(operation);
}

/** The whole report as text. Ends with a newline. */
export function renderSnapshotReport(
  report: OperationReport,
  style: Styler,
  options: ReportTextOptions,
): string {
  const outcome = report.snapshot;
  const sections: Lines[] = [
    heading(report, style),
    section("Pre-flight checks", preflight(report, style), style),
    section("Details", facts(details(report, outcome)), style),
    ...targetSection(report, outcome, style, options),
    ...pruneSection(report, style),
    ...stepSection(report, style),
    ...checkSection(outcome, style),
    ...verificationSection(report, style),
    section("Warnings", bullets(report.warnings, style.yellow), style),
    section("Errors", errors(report, style), style),
    section("Summary", summary(report, style), style),
  ];
  return sections.map((lines) => lines.join("\n")).join("\n\n") + "\n";
}

function heading(report: OperationReport, style: Styler): Lines {
  const title = operationWords[report.operation].title;
  return [
    style.bold(title),
    "=".repeat(title.length),
    "",
    ...facts([
      [
        ofComponents(report) ? "About" : "Snapshot",
        report.version === "" ? undefined : visible(report.version),
      ],
      ["Status", paintStatus(report, style)],
      ["Exit code", String(report.exit_code)],
      ["Time", visible(report.timestamp)],
      ["Workspace", visible(report.repository_location)],
    ]),
  ];
}

function preflight(report: OperationReport, style: Styler): Lines {
  const named = !UNNAMED.has(report.operation);
  return [
    ...(named
      ? [preflightLine(
        report,
        report.version_exists,
        ofComponents(report) ? "it exists" : "snapshot exists",
        ExitCode.notFound,
        style,
      )]
      : []),
    preflightLine(
      report,
      report.policy_passed,
      `policy (${report.policy_mode})`,
      ExitCode.policyViolation,
      style,
    ),
    ...report.policy.map((rule) => ruleLine(rule, style)),
  ];
}

function details(report: OperationReport, outcome: SnapshotOutcome | undefined): readonly Fact[] {
  const safety = outcome?.safety_id ?? null;
  return [
    ["Operation id", visible(report.rollback_id ?? "none (nothing was run)")],
    ["Reason", report.reason === "" ? "none given" : visible(report.reason)],
    ["By", `${visible(report.by)} on ${visible(report.host)}`],
    ["Dry run", yesNo(report.dry_run)],
    ["Forced", yesNo(report.forced)],
    ["State before", safety === null ? undefined : `kept as ${visible(safety)}`],
    ["Audit log", auditLog(report)],
    ...report.recovered.map((one): Fact => ["Recovered first", describeRecovery(one)]),
    ["Duration", report.dry_run ? undefined : formatDuration(report.rollback_duration_seconds)],
    ["To be confirmed", tellsConfirmation(report)],
    ["Undo", report.undo === null ? undefined : visible(report.undo)],
  ];
}

function targetSection(
  report: OperationReport,
  outcome: SnapshotOutcome | undefined,
  style: Styler,
  options: ReportTextOptions,
): readonly Lines[] {
  if (outcome === undefined || outcome.targets.length === 0) return [];
  const lines = outcome.targets.flatMap((target) => targetLines(target, report, style, options));
  return [section(`Targets (${outcome.targets.length})`, lines, style)];
}

function targetLines(
  target: TargetOutcome,
  report: OperationReport,
  style: Styler,
  { verbose }: ReportTextOptions,
): Lines {
  const shown = verbose || target.changes.length <= MOST_CHANGES + 1
    ? target.changes
    : target.changes.slice(0, MOST_CHANGES);
  const hidden = Math.max(target.changes.length, target.changed + target.removed) - shown.length;
  return [
    `  ${style.bold(visible(target.name))} (${visible(target.type)}): ${
      describeTarget(target, report.dry_run)
    }`,
    ...targetFacts(target).map((fact) => `      ${fact}`),
    ...shown.map((change) => `      ${changeLine(change)}`),
    ...(shown.length > 0 && hidden > 0 ? [`      and ${count(hidden, "more change")}`] : []),
    ...(target.undo === "exact" || target.status === "unchanged" ? [] : [`      ${undoNote(target)}`]),
  ];
}

function pruneSection(report: OperationReport, style: Styler): readonly Lines[] {
  if (report.prune === undefined) return [];
  const lines = renderPruneTable(report, { style, width: Infinity }).trimEnd().split("\n");
  return [section(`Snapshots (${report.prune.snapshots.length})`, lines.map((line) => `  ${line}`), style)];
}

function undoNote({ undo }: TargetOutcome): string {
  return undo === "none"
    ? "a restore of this target cannot be taken back"
    : "a restore of this target is taken back by doing the opposite, not bit for bit";
}

function checkSection(outcome: SnapshotOutcome | undefined, style: Styler): readonly Lines[] {
  if (outcome === undefined || outcome.checks.length === 0) return [];
  const marks = {
    passed: style.green("[pass]"),
    failed: style.red("[FAIL]"),
    advisory: style.yellow("[warn]"),
  };
  const lines = outcome.checks.map((check) => {
    const tries = check.tries > 1 ? ` (${check.tries} tries)` : "";
    return `  ${marks[checkWord(check)]} ${visible(check.name)}: ${visible(check.detail)}${tries}`;
  });
  return [section("Checks", lines, style)];
}
