/**
 * JUnit XML as Jenkins and GitLab read it: a test suite for the operation as a whole, and one each for policy, steps,
 * checks and verification, with a test case per rule, step and check. GitLab tells cases apart by `classname` and `name`
 * and drops what comes twice, so both together are unique.
 */
import { titleOf, verdict } from "#/report/facts.ts";
import { type Content, lines, type Markup, markup, stack } from "#/report/markup.ts";
import type {
  CheckOutcome,
  OperationReport,
  RuleResult,
  StepReport,
  VerificationResult,
} from "#/report/model.ts";
import { count } from "#/report/units.ts";
import { failureKind, stateAfterFailure } from "#/report/words.ts";

type SuiteName = "operation" | "policy" | "steps" | "checks" | "verification";

/** `failure`: it was looked at and refused. `error`: it broke. */
type CaseResult =
  | { readonly kind: "passed" }
  | {
    readonly kind: "failure" | "error";
    readonly type: string;
    readonly message: string;
    readonly body: string;
  }
  | { readonly kind: "skipped"; readonly message: string };

interface TestCase {
  readonly name: string;
  readonly seconds: number;
  readonly result: CaseResult;
  /** What is worth reading although nothing failed; empty for nothing. */
  readonly output: string;
}

interface Suite {
  readonly name: SuiteName;
  readonly cases: readonly TestCase[];
}

const PASSED: CaseResult = { kind: "passed" };

/** The report as one JUnit XML document. Times are in seconds. Ends with a newline. */
export function renderJunit(report: OperationReport): string {
  const suites: readonly Suite[] = [
    { name: "operation", cases: [operationCase(report)] },
    { name: "policy", cases: unique(report.policy.map((rule) => ruleCase(rule, report))) },
    { name: "steps", cases: report.steps.map((step, i) => stepCase(step, i, report)) },
    { name: "checks", cases: unique((report.snapshot?.checks ?? []).map(outcomeCase)) },
    { name: "verification", cases: unique(report.verification.map(checkCase)) },
  ];
  const shown = suites.filter((suite) => suite.cases.length > 0);
  const document = stack([
    markup`<?xml version="1.0" encoding="UTF-8"?>`,
    markup`<testsuites name="${`backout ${titleOf(report)}`}"${
      totals(shown.flatMap((suite) => suite.cases))
    }>`,
    ...shown.map((suite, i) => suiteElement(suite, i, report)),
    markup`</testsuites>`,
  ]);
  return document.text + "\n";
}

/** The whole: what fails before any rule or step (a lock, an unreadable index) is seen here. */
function operationCase(report: OperationReport): TestCase {
  const inSteps = report.steps.reduce((sum, step) => sum + step.seconds, 0);
  return {
    name: titleOf(report),
    // What the steps do not account for, so that the sum of all cases stays the operation's.
    seconds: Math.max(0, report.rollback_duration_seconds - inSteps),
    result: operationResult(report),
    output: [
      report.summary,
      ...report.warnings.map((warning) => `Warning: ${warning}`),
      ...(report.undo === null ? [] : [`To take it back: ${report.undo}`]),
    ].join("\n"),
  };
}

function operationResult(report: OperationReport): CaseResult {
  const { error } = report;
  if (error === null) return PASSED;
  const refused = failureKind(report.exit_code) === "refused" || report.status === "partial";
  return {
    kind: refused ? "failure" : "error",
    type: error.kind,
    message: error.message,
    body: [
      `${verdict(report).words} (exit code ${report.exit_code})`,
      ...new Set([error.message, ...report.errors]),
      ...(error.hint === null ? [] : [`What to do: ${error.hint}`]),
      stateAfterFailure(report) ?? "",
    ].filter((line) => line !== "").join("\n"),
  };
}

function ruleCase(rule: RuleResult, report: OperationReport): TestCase {
  const explained = rule.hint === undefined ? rule.reason : `${rule.reason}\n${rule.hint}`;
  const denied = rule.outcome === "deny";
  return {
    name: rule.id,
    seconds: 0,
    result: denied
      ? { kind: "failure", type: "policy_violation", message: rule.reason, body: explained }
      : PASSED,
    output: rule.outcome === "warn" ? `Warning (policy ${report.policy_mode}): ${explained}` : "",
  };
}

function stepCase(step: StepReport, index: number, report: OperationReport): TestCase {
  const name = `${index + 1}. ${step.description}`;
  return { name, seconds: step.seconds, result: stepResult(step, report), output: "" };
}

function stepResult(step: StepReport, report: OperationReport): CaseResult {
  const { status } = step;
  switch (status) {
    case "done":
      return PASSED;
    case "planned":
      return {
        kind: "skipped",
        message: report.dry_run ? "planned: this was a dry run" : "planned, and not reached",
      };
    case "skipped":
      return { kind: "skipped", message: "not run" };
    case "taken_back":
      return { kind: "skipped", message: "done, then taken back" };
    case "failed": {
      const message = report.error?.message ?? report.errors[0] ?? "the step failed";
      return { kind: "error", type: report.error?.kind ?? "rollback_error", message, body: message };
    }
    default:
      return status satisfies never;
  }
}

function checkCase(check: VerificationResult): TestCase {
  return {
    name: check.check,
    seconds: 0,
    result: check.passed
      ? PASSED
      : { kind: "failure", type: "verification", message: check.detail, body: check.detail },
    output: check.passed ? check.detail : "",
  };
}

/** A failed advisory check is told, and fails nothing. */
function outcomeCase(check: CheckOutcome): TestCase {
  const advisory = !check.passed && !check.required;
  return {
    name: check.name,
    seconds: check.seconds,
    result: check.passed || advisory
      ? PASSED
      : { kind: "failure", type: check.type, message: check.detail, body: expectation(check) },
    output: advisory ? `Failed, but only advisory: ${expectation(check)}` : check.passed ? check.detail : "",
  };
}

function expectation({ detail, expected, actual, tries }: CheckOutcome): string {
  return [
    detail,
    ...(expected === undefined ? [] : [`expected: ${expected}`]),
    ...(actual === undefined ? [] : [`found: ${actual}`]),
    ...(tries > 1 ? [`after ${tries} tries`] : []),
  ].join("\n");
}

/** The second of a name is called `name (2)`. */
function unique(cases: readonly TestCase[]): readonly TestCase[] {
  const taken = new Set<string>();
  return cases.map((one) => {
    let name = one.name;
    for (let times = 2; taken.has(name); times++) name = `${one.name} (${times})`;
    taken.add(name);
    return name === one.name ? one : { ...one, name };
  });
}

function suiteElement(suite: Suite, id: number, report: OperationReport): Markup {
  const classname = `backout.${report.operation}.${suite.name}`;
  const at = suiteTime(report.timestamp);
  return stack([
    markup`  <testsuite id="${id}" name="${suite.name}" package="${`backout.${report.operation}`}"${
      totals(suite.cases)
    } skipped="${countOf(suite.cases, "skipped")}"${
      at === undefined ? "" : markup` timestamp="${at}"`
    } hostname="${report.host === "" ? "localhost" : report.host}">`,
    markup`    <properties>`,
    ...properties(report).map(([name, value]) => markup`      <property name="${name}" value="${value}"/>`),
    markup`    </properties>`,
    ...suite.cases.map((one) => caseElement(one, classname)),
    markup`  </testsuite>`,
  ]);
}

function caseElement(one: TestCase, classname: string): Markup {
  const attributes = markup`classname="${classname}" name="${one.name}" time="${seconds(one.seconds)}"`;
  const inside: readonly Content[] = [
    ...resultElement(one.result),
    ...(one.output === "" ? [] : [markup`      <system-out>${lines(one.output)}</system-out>`]),
  ];
  if (inside.length === 0) return markup`    <testcase ${attributes}/>`;
  return stack([markup`    <testcase ${attributes}>`, ...inside, markup`    </testcase>`]);
}

function resultElement(result: CaseResult): readonly Markup[] {
  switch (result.kind) {
    case "passed":
      return [];
    case "skipped":
      return [markup`      <skipped message="${result.message}"/>`];
    case "failure":
      return [
        markup`      <failure type="${result.type}" message="${result.message}">${
          lines(result.body)
        }</failure>`,
      ];
    case "error":
      return [
        markup`      <error type="${result.type}" message="${result.message}">${lines(result.body)}</error>`,
      ];
    default:
      return result satisfies never;
  }
}

/** Attributes that a suite and the whole document have. */
function totals(cases: readonly TestCase[]): Markup {
  const time = cases.reduce((sum, one) => sum + one.seconds, 0);
  return markup` tests="${cases.length}" failures="${countOf(cases, "failure")}" errors="${
    countOf(cases, "error")
  }" time="${seconds(time)}"`;
}

function countOf(cases: readonly TestCase[], kind: CaseResult["kind"]): number {
  return cases.filter((one) => one.result.kind === kind).length;
}

function properties(report: OperationReport): readonly (readonly [name: string, value: string])[] {
  return [
    ["operation", report.operation],
    ["operation_id", report.rollback_id ?? ""],
    ["version", report.version],
    [
      "versions",
      report.versions.length > 20 ? count(report.versions.length, "release") : report.versions.join(","),
    ],
    ["status", report.status],
    ["exit_code", String(report.exit_code)],
    ["dry_run", String(report.dry_run)],
    ["repository", report.repository_location],
    ["serial_before", String(report.serial_before)],
    ["serial_after", String(report.serial_after)],
    ["policy_mode", report.policy_mode],
    ["forced", String(report.forced)],
    ["reason", report.reason],
    ["by", report.by],
    ["undo", report.undo ?? ""],
  ];
}

/** The schema wants a time without a zone (it is UTC) and without fractions. */
function suiteTime(timestamp: string): string | undefined {
  const at = new Date(timestamp);
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString().slice(0, 19);
}

function seconds(value: number): string {
  return (value > 0 && Number.isFinite(value) ? value : 0).toFixed(3);
}
