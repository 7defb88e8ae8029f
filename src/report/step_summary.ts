/**
 * The report as GitHub's job summary shows it: Markdown, short enough for its limit of one MiB per step
 * whatever the operation was.
 */
import { circumstances, type Fact, results, rulesByOutcome, titleOf, verdict } from "#/report/facts.ts";
import type { OperationReport, StepReport } from "#/report/model.ts";
import { checkWord } from "#/report/snapshot_words.ts";
import { count, formatDuration } from "#/report/units.ts";
import { truncate, visible } from "#/report/visible.ts";
import { stateAfterFailure } from "#/report/words.ts";

const MOST_ROWS = 50;
const LONGEST_TEXT = 500;

type Lines = readonly string[];

/** The report as Markdown with nothing in it that is not ours to format. Ends with an empty line. */
export function renderStepSummary(report: OperationReport): string {
  const blocks: readonly Lines[] = [
    [`### ${text(titleOf(report))}: ${text(lowerFirst(verdict(report).words))}`],
    [text(report.summary)],
    ...problem(report),
    ...list("Warnings", report.warnings),
    ...undo(report),
    factTable([...circumstances(report), ...results(report)]),
    ...policyTable(report),
    ...checkTable(report),
    ...verificationTable(report),
    ...stepTable(report),
  ];
  return blocks.map((block) => block.join("\n")).join("\n\n") + "\n\n";
}

function problem(report: OperationReport): readonly Lines[] {
  const { error } = report;
  if (error === null) return [];
  const after = stateAfterFailure(report);
  const messages = [...new Set([error.message, ...report.errors])];
  return [
    ...list("What went wrong", messages),
    ...(error.hint === null ? [] : [[`**What to do:** ${text(error.hint)}`]]),
    ...(after === undefined ? [] : [[`**State:** ${text(after)}`]]),
  ];
}

function list(title: string, messages: readonly string[]): readonly Lines[] {
  if (messages.length === 0) return [];
  const hidden = messages.length - MOST_ROWS;
  return [[
    `**${title}**`,
    "",
    ...messages.slice(0, MOST_ROWS).map((message) => `- ${text(message)}`),
    ...(hidden > 0 ? [`- and ${hidden} more`] : []),
  ]];
}

function undo(report: OperationReport): readonly Lines[] {
  if (report.undo === null) return [];
  const command = visible(report.undo.toWellFormed());
  const longest = Math.max(0, ...(command.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(Math.max(3, longest + 1));
  return [["**To take it back**", "", `${fence}sh`, command, fence]];
}

function factTable(facts: readonly Fact[]): Lines {
  return table(["", ""], facts.map(({ label, value }) => [text(label), text(value)]));
}

function policyTable(report: OperationReport): readonly Lines[] {
  if (report.policy.length === 0) return [];
  const rules = rulesByOutcome(report.policy);
  const words = { pass: "passed", warn: "**warning**", deny: "**denied**" } as const;
  const rows = rules.map((rule) => {
    const hint = rule.hint === undefined || rule.outcome === "pass" ? "" : ` (${text(rule.hint)})`;
    return [words[rule.outcome], code(rule.id), text(rule.reason) + hint];
  });
  return folded(`Policy (${count(rules.length, "rule")})`, table(["Result", "Rule", "Why"], rows));
}

function checkTable(report: OperationReport): readonly Lines[] {
  const checks = report.snapshot?.checks ?? [];
  if (checks.length === 0) return [];
  const words = { passed: "passed", failed: "**failed**", advisory: "failed (advisory)" } as const;
  const rows = checks.toSorted((a, b) => Number(a.passed) - Number(b.passed)).map((check) => [
    words[checkWord(check)],
    code(check.name),
    text(check.detail),
  ]);
  return folded(
    `Checks (${checks.length})`,
    table(["Result", "Check", "What was seen"], rows),
  );
}

function verificationTable(report: OperationReport): readonly Lines[] {
  if (report.verification.length === 0) return [];
  const checks = report.verification.toSorted((a, b) => Number(a.passed) - Number(b.passed));
  const rows = checks.map((one) => [
    one.passed ? "passed" : "**failed**",
    code(one.check),
    text(one.detail),
  ]);
  return folded(
    `Verification (${count(checks.length, "check")})`,
    table(["Result", "Check", "What was seen"], rows),
  );
}

function stepTable(report: OperationReport): readonly Lines[] {
  if (report.steps.length === 0) return [];
  const rows = report.steps.map((step, i) => [
    String(i + 1),
    text(step.description),
    stepWords[step.status],
    step.seconds > 0 ? formatDuration(step.seconds) : "",
  ]);
  const title = report.dry_run ? "Plan" : "Steps";
  return folded(`${title} (${rows.length})`, table(["", "Step", "Result", "Took"], rows));
}

const stepWords: Readonly<Record<StepReport["status"], string>> = {
  planned: "planned",
  done: "done",
  skipped: "not run",
  failed: "**failed**",
  taken_back: "taken back",
};

/** The empty lines are what makes GitHub read Markdown inside of HTML. */
function folded(title: string, body: Lines): readonly Lines[] {
  return [[`<details><summary>${title}</summary>`, "", ...body, "", "</details>"]];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): Lines {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const hidden = rows.length - MOST_ROWS;
  return [
    line(head),
    line(head.map(() => "---")),
    ...rows.slice(0, MOST_ROWS).map(line),
    ...(hidden > 0 ? [line(["", `and ${hidden} more`, ...head.slice(2).map(() => "")])] : []),
  ];
}

/** Inside `<code>` GitHub makes no links and mentions of what it finds. */
function code(value: string): string {
  return `<code>${text(value)}</code>`;
}

/** Every character that can mean something in Markdown or HTML, also at the beginning of a line. */
const MEANINGFUL = /[&<>"'`\\*_~[\](){}#|!@:$]|^[-+=]|(?<=^\d{1,9})[.)](?=\s|$)|(?<=www)\./gi;

/** Plain text in Markdown: one line, without any formatting, links or mentions of its own. */
function text(value: string): string {
  return truncate(visible(value.toWellFormed()), LONGEST_TEXT).trim()
    .replace(MEANINGFUL, (character) => `&#${character.charCodeAt(0)};`);
}

function lowerFirst(words: string): string {
  return words.charAt(0).toLowerCase() + words.slice(1);
}
