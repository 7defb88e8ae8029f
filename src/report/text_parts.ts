/** Pieces of the text report that operations on releases and on rollback points share. */
import type { ExitCode } from "#/core/errors.ts";
import type { OperationReport, RuleResult, StepReport, VerificationResult } from "#/report/model.ts";
import type { Styler } from "#/report/style.ts";
import { count, formatDuration } from "#/report/units.ts";
import { pad, visible, visibleLines } from "#/report/visible.ts";
import { stateAfterFailure } from "#/report/words.ts";

export interface ReportTextOptions {
  /** Show lists whole; otherwise the first 20 entries and how many more there are. */
  readonly verbose: boolean;
}

export type Lines = readonly string[];
export type Fact = readonly [label: string, value: string | undefined];

const LABEL_WIDTH = 21;

export function paintStatus(report: OperationReport, style: Styler): string {
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

/** A check that was never reached (a lock, no permission, …) has not failed: only `failure` says that it did. */
export function preflightLine(
  report: OperationReport,
  passed: boolean,
  what: string,
  failure: ExitCode,
  style: Styler,
): string {
  const reached = passed || report.policy.length > 0 || report.exit_code === failure;
  return reached ? verdict(passed, what, style) : `  ${style.dim("[----]")} ${what}: not looked at`;
}

export function verdict(passed: boolean, what: string, style: Styler): string {
  return `  ${passed ? style.green("[pass]") : style.red("[FAIL]")} ${what}`;
}

export function ruleLine(rule: RuleResult, style: Styler): string {
  const mark = { pass: style.green("[pass]"), warn: style.yellow("[warn]"), deny: style.red("[DENY]") };
  const hint = rule.hint === undefined || rule.outcome === "pass" ? "" : ` (${visible(rule.hint)})`;
  return `    ${mark[rule.outcome]} ${visible(rule.id)}: ${visible(rule.reason)}${hint}`;
}

export function auditLog(report: OperationReport): string {
  if (!report.audit_log_created) return "not written";
  return report.audit_log_signed ? "written, signed" : "written, not signed";
}

export function stepSection(report: OperationReport, style: Styler): readonly Lines[] {
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

export function verificationSection(report: OperationReport, style: Styler): readonly Lines[] {
  if (report.verification.length === 0) return [];
  return [section("Verification", report.verification.map((one) => verificationLine(one, style)), style)];
}

function verificationLine(result: VerificationResult, style: Styler): string {
  return verdict(result.passed, `${visible(result.check)}: ${visible(result.detail)}`, style);
}

export function errors(report: OperationReport, style: Styler): Lines {
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

export function summary(report: OperationReport, style: Styler): Lines {
  const after = report.error === null ? undefined : stateAfterFailure(report);
  return [`  ${style.bold(visible(report.summary))}`, ...(after === undefined ? [] : [`  ${after}`])];
}

export function section(title: string, body: Lines, style: Styler): Lines {
  return [style.bold(title), "-".repeat(title.length), ...body];
}

export function facts(list: readonly Fact[]): Lines {
  return list.flatMap(([label, value]) =>
    value === undefined ? [] : [`  ${pad(`${label}:`, LABEL_WIDTH)} ${value}`]
  );
}

export function bullets(messages: readonly string[], paint: (text: string) => string): Lines {
  if (messages.length === 0) return ["  none"];
  return messages.flatMap((message) => {
    const [first, ...rest] = visibleLines(message).split("\n");
    return [`  ${paint("-")} ${first}`, ...rest.map((line) => `    ${line}`)];
  });
}

function indented(text: string, by: string): Lines {
  return text.split("\n").map((line) => by + line);
}

export function yesNo(value: boolean): string {
  return value ? "yes" : "no";
}
