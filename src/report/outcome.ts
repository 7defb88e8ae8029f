/** What a person at a terminal sees after an operation: about a dozen lines, the next command last. */
import { ExitCode } from "#/core/errors.ts";
import type { OperationKind, OperationReport } from "#/report/model.ts";
import type { Styler } from "#/report/style.ts";
import { checkWord, describeTarget, planLines, tellsConfirmation } from "#/report/snapshot_words.ts";
import { numberedSteps } from "#/report/text_parts.ts";
import { count, formatBytes, formatDuration } from "#/report/units.ts";
import { pad, visible, visibleLines } from "#/report/visible.ts";
import {
  describeBackup,
  describeChannelMove,
  describeRecovery,
  type FailureKind,
  failureKind,
  stateAfterFailure,
} from "#/report/words.ts";

const LABEL_WIDTH = 10;
const MOST_STEPS = 20;
const MOST_WARNINGS = 5;
const MOST_RULES = 5;
const MOST_CHANNELS = 3;
const MOST_TARGETS = 20;

/** They touch no target: what it held when it was taken is not what happened. */
const ABOUT_THE_SNAPSHOT: ReadonlySet<OperationKind> = new Set<OperationKind>([
  "snapshot_delete",
  "snapshot_pin",
  "snapshot_unpin",
  "snapshot_mark",
]);

type Lines = readonly string[];

/**
 * What happened, in numbers, and how to take it back; for a refusal what, why and what to do;
 * for a dry run the numbered steps. Ends with a newline.
 */
export function renderOutcome(report: OperationReport, style: Styler): string {
  const lines = report.error !== null && report.status !== "partial"
    ? failure(report, style)
    : report.dry_run
    ? dryRun(report, style)
    : success(report, style);
  return lines.join("\n") + "\n";
}

function success(report: OperationReport, style: Styler): Lines {
  const clean = report.exit_code === ExitCode.done;
  const mark = clean ? style.green("✔") : style.yellow("!");
  return [
    `${mark} ${style.bold(visible(report.summary))}`,
    ...recovered(report),
    ...numbers(report),
    ...targets(report),
    ...channels(report),
    ...report.backup.slice(0, 2).map((one) => fact("Backup", `${visible(one.id)} (${describeBackup(one)})`)),
    ...more(report.backup.length - 2, "backup"),
    ...noBackup(report),
    ...checked(report, style),
    ...verified(report, style),
    ...partialError(report),
    ...warnings(report, style),
    ...confirmation(report, style),
    ...(report.undo === null ? [] : [fact("Undo", style.cyan(visible(report.undo)))]),
  ];
}

const leads: Readonly<Record<FailureKind, string>> = {
  refused: "Refused: ",
  taken_back: "Taken back: ",
  needs_person: "Unfinished: ",
  failed: "Failed: ",
};

function failure(report: OperationReport, style: Styler): Lines {
  const error = report.error!;
  const kind = failureKind(report.exit_code);
  // The message of many refusals begins with the word already.
  const lead = /^(refused|stopped)\b/i.test(error.message) ? "" : leads[kind];
  const denied = report.policy.filter((rule) => rule.outcome === "deny");
  const others = report.errors.filter((message) =>
    !error.message.includes(message) && !denied.some((rule) => message.includes(rule.reason))
  );
  const after = stateAfterFailure(report);
  return [
    `${style.red("✘")} ${style.bold(lead + visibleLines(error.message))}`,
    ...recovered(report),
    ...denied.slice(0, MOST_RULES).map((rule) =>
      fact("Why", `${visible(rule.reason)} ${style.dim(`[${visible(rule.id)}]`)}`)
    ),
    ...more(denied.length - MOST_RULES, "rule"),
    ...others.slice(0, MOST_RULES).map((message) => fact("Why", visible(message))),
    ...more(others.length - MOST_RULES, "error"),
    ...failedTargets(report),
    ...keptOfGuard(report),
    ...checked(report, style),
    ...warnings(report, style),
    ...(error.hint === null ? [] : [fact("Do", visibleLines(error.hint))]),
    ...(after === undefined ? [] : [fact("State", after)]),
  ];
}

function dryRun(report: OperationReport, style: Styler): Lines {
  const steps = report.prune !== undefined
    ? [] // whoever asked for it has shown each snapshot
    : report.snapshot === undefined
    ? numberedSteps(report.steps, style)
    : planLines(report, MOST_STEPS);
  const estimate = report.estimated_duration_seconds;
  return [
    `${style.cyan("Dry run:")} ${style.bold(visible(report.summary))}`,
    ...recovered(report),
    ...steps.slice(0, MOST_STEPS),
    ...more(steps.length - MOST_STEPS, "step"),
    ...(report.steps.every((step) => step.status === "planned") ? channels(report) : []),
    ...(estimate === null ? [] : [fact("Estimate", formatDuration(estimate))]),
    ...warnings(report, style),
    // What to type to do it is the command's to say: only it knows its words.
    "Nothing was changed.",
  ];
}

function recovered(report: OperationReport): Lines {
  return report.recovered.map((one) => fact("Recovered", describeRecovery(one)));
}

function numbers(report: OperationReport): Lines {
  const took = report.rollback_duration_seconds;
  const time = took > 0 ? ` in ${formatDuration(took)}` : "";
  const added = report.artifacts_restored.length + report.artifacts_published.length;
  const lines: string[] = [];
  if (report.total_artifacts_removed > 0) {
    lines.push(
      fact(
        "Removed",
        `${count(report.total_artifacts_removed, "artifact")}, ${
          formatBytes(report.total_bytes_freed)
        }${time}`,
      ),
    );
  }
  if (added > 0) {
    lines.push(fact("Added", `${count(added, "artifact")}, ${formatBytes(report.total_bytes_added)}${time}`));
  }
  if (report.artifacts_kept.length > 0) {
    lines.push(
      fact("Kept", `${count(report.artifacts_kept.length, "artifact")} that another release lists too`),
    );
  }
  if (report.bytes_reclaimed > 0) {
    lines.push(fact("Freed", `${formatBytes(report.bytes_reclaimed)} of disk space`));
  }
  return lines;
}

function targets(report: OperationReport): Lines {
  if (ABOUT_THE_SNAPSHOT.has(report.operation)) return [];
  const all = report.snapshot?.targets ?? [];
  const safety = report.snapshot?.safety_id ?? null;
  return [
    ...all.slice(0, MOST_TARGETS).map((target) =>
      fact(visible(target.name), `${describeTarget(target, false)} (${visible(target.type)})`)
    ),
    ...more(all.length - MOST_TARGETS, "target"),
    ...(safety === null ? [] : [fact("Before", `kept as ${visible(safety)}`)]),
  ];
}

/** Of a failure, only what did not go as the state line says. */
function failedTargets(report: OperationReport): Lines {
  const all = (report.snapshot?.targets ?? []).filter((target) => target.status === "failed");
  return [
    ...all.slice(0, MOST_TARGETS).map((target) =>
      fact(visible(target.name), `failed (${visible(target.type)})`)
    ),
    ...more(all.length - MOST_TARGETS, "target"),
  ];
}

/** What the guarded command left behind, for whoever wants to know why it failed. */
function keptOfGuard(report: OperationReport): Lines {
  const safety = report.snapshot?.safety_id ?? null;
  if (report.exit_code !== ExitCode.guard || safety === null) return [];
  return [fact("Kept", `what it left behind, as ${visible(safety)}`)];
}

function checked(report: OperationReport, style: Styler): Lines {
  const all = report.snapshot?.checks ?? [];
  const failed = all.filter((check) => !check.passed);
  const passed = all.length - failed.length;
  return [
    ...(passed === 0 ? [] : [fact("Checks", `${count(passed, "check")} passed`)]),
    ...failed.slice(0, MOST_RULES).map((check) => {
      const mark = checkWord(check) === "failed" ? style.red("failed") : style.yellow("failed (advisory)");
      return fact("Check", `${mark} ${visible(check.name)}: ${visible(check.detail)}`);
    }),
    ...more(failed.length - MOST_RULES, "failed check"),
  ];
}

function confirmation(report: OperationReport, style: Styler): Lines {
  const text = tellsConfirmation(report);
  return text === undefined ? [] : [fact("Confirm", style.yellow(text))];
}

function channels(report: OperationReport): Lines {
  const moves = report.channels_moved;
  return [
    ...moves.slice(0, MOST_CHANNELS).map((move) => fact("Channel", describeChannelMove(move))),
    ...more(moves.length - MOST_CHANNELS, "channel"),
  ];
}

/** Says it where artifacts are gone for good: nobody should find that out later. */
function noBackup(report: OperationReport): Lines {
  const gone = report.operation === "rollback" && report.total_artifacts_removed > 0 &&
    !report.backup_created;
  return gone ? [fact("Backup", "none: the artifacts are gone for good")] : [];
}

function verified(report: OperationReport, style: Styler): Lines {
  const failed = report.verification.filter((one) => !one.passed);
  if (report.verification.length === 0) return [];
  if (failed.length === 0) {
    const { length } = report.verification;
    const what = report.snapshot === undefined
      ? `${count(length, "check")} passed`
      : `${count(length, "target is", "targets are")} as the snapshot has ${length === 1 ? "it" : "them"}`;
    return [fact("Verified", what)];
  }
  return failed.slice(0, MOST_RULES).map((one) =>
    fact("Check", `${style.red("failed")} ${visible(one.check)}: ${visible(one.detail)}`)
  );
}

/** A partial success carries an error too; a failed check has been shown already. */
function partialError(report: OperationReport): Lines {
  if (report.error === null) return [];
  const hint = report.error.hint;
  const shown = report.verification.some((one) => !one.passed) ||
    (report.snapshot?.checks ?? []).some((check) => !check.passed && check.required);
  return [
    ...(shown ? [] : [fact("Error", visibleLines(report.error.message))]),
    ...(hint === null ? [] : [fact("Do", visibleLines(hint))]),
  ];
}

function warnings(report: OperationReport, style: Styler): Lines {
  const shown = report.warnings.slice(0, MOST_WARNINGS);
  return [
    ...shown.map((warning) => fact("Warning", visible(warning), style.yellow)),
    ...more(report.warnings.length - MOST_WARNINGS, "warning"),
  ];
}

function more(hidden: number, noun: string): Lines {
  return hidden > 0 ? [fact("", `and ${count(hidden, `more ${noun}`)}`)] : [];
}

/** A label and its value; further lines of the value are indented below it. */
function fact(label: string, value: string, paint: (text: string) => string = (text) => text): string {
  const indent = " ".repeat(LABEL_WIDTH + 3);
  return `  ${paint(pad(label, LABEL_WIDTH))} ${value.replaceAll("\n", `\n${indent}`)}`;
}
