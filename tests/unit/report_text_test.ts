import assert from "node:assert/strict";
import { UsageError } from "#/core/errors.ts";
import type { OperationReport } from "#/report/model.ts";
import {
  ansiStyle,
  displayWidth,
  errorToJson,
  formatAge,
  formatBytes,
  formatDuration,
  plainStyle,
  renderError,
  renderOutcome,
  renderReport,
  renderTable,
  reportFormats,
  reportToJson,
  truncate,
  visible,
  wrap,
} from "#/report/mod.ts";
import { reports } from "./report_fixtures.ts";

Deno.test("formatBytes", () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1 KiB"],
    [1536, "1.5 KiB"],
    [1024 * 1024 - 1, "1 MiB"],
    [1_258_291, "1.2 MiB"],
    [1024 ** 3 * 20, "20 GiB"],
    [1024 ** 5 * 2048, "2048 PiB"],
  ];
  for (const [bytes, text] of cases) assert.equal(formatBytes(bytes), text);
});

Deno.test("formatDuration", () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, "0 s"],
    [-1, "0 s"],
    [NaN, "0 s"],
    [0.0001, "1 ms"],
    [0.042, "42 ms"],
    [0.31, "0.3 s"],
    [9.96, "10 s"],
    [59.6, "1 min"],
    [75, "1 min 15 s"],
    [7800, "2 h 10 min"],
    [86400 * 3 + 3600 * 4, "3 d 4 h"],
  ];
  for (const [seconds, text] of cases) assert.equal(formatDuration(seconds), text);
});

Deno.test("formatAge", () => {
  const now = new Date("2026-03-04T12:00:00Z");
  assert.equal(formatAge("2026-03-04T11:59:57Z", now), "just now");
  assert.equal(formatAge("2026-03-04T11:59:20Z", now), "40 s ago");
  assert.equal(formatAge("2026-03-04T11:55:00Z", now), "5 min ago");
  assert.equal(formatAge("2026-03-04T09:55:00Z", now), "2 h ago");
  assert.equal(formatAge("2026-02-28T12:00:00Z", now), "4 d ago");
  assert.equal(formatAge("2026-03-04T14:00:00Z", now), "in 2 h");
  assert.equal(formatAge("yesterday", now), "unknown");
  assert.equal(formatAge(null, now), "unknown");
});

Deno.test("control characters and direction marks are spelt out", () => {
  assert.equal(visible("v1.0.2"), "v1.0.2");
  assert.equal(visible("a\u001b[2Jb"), "a\\e[2Jb");
  assert.equal(visible("a\r\nb\tc\u0000"), "a\\r\\nb\\tc\\x00");
  assert.equal(visible("\u009b31m"), "\\x9b31m");
  assert.equal(visible("gpj.\u202eexe"), "gpj.\\u202eexe");
  assert.equal(visible("日本 é ✔"), "日本 é ✔");
});

Deno.test("width, cutting and wrapping count columns", () => {
  assert.equal(displayWidth("日本"), 4);
  assert.equal(displayWidth("e\u0301"), 1);
  assert.equal(truncate("日本語", 5), "日本…");
  assert.equal(truncate("日本語", 6), "日本語");
  assert.equal(truncate("abc", 1), "…");
  assert.equal(truncate("abc", 0), "");
  assert.deepEqual(wrap("one two three", 8), ["one two", "three"]);
  assert.deepEqual(wrap("incomprehensible", 4), ["incomprehensible"]);
});

Deno.test("a table is aligned, also with wide characters, and numbers are to the right", () => {
  const rows = [["VERSION", "SIZE", "CHANNELS"], ["v1.0.2", "1.2 MiB", "stable"], ["日本", "5 B", ""]];
  assert.equal(
    renderTable(rows, { style: plainStyle, width: Infinity, right: [1] }),
    "VERSION     SIZE  CHANNELS\nv1.0.2   1.2 MiB  stable\n日本         5 B\n",
  );
  assert.equal(renderTable([], { style: plainStyle, width: 80 }), "");
});

Deno.test("a table gives way from its widest column and lets no control character through", () => {
  const text = renderTable([["NAME", "REASON"], ["a\u001b[31m", "x".repeat(100)]], {
    style: plainStyle,
    width: 30,
  });
  const lines = text.trimEnd().split("\n");
  assert.ok(lines.every((line) => displayWidth(line) <= 30), text);
  assert.match(lines[1]!, /^a\\e\[31m {2}x+…$/);
});

Deno.test("a table too wide for the terminal gives names a line of their own and cuts no number", () => {
  const id = "v1.0.2-20260304_050607-8e9f0a1b";
  const text = renderTable([["ID", "REASON", "SIZE"], [id, "broken login", "586.9 KiB"]], {
    style: plainStyle,
    width: 40,
    right: [2],
  });
  assert.equal(text, `ID\n  REASON             SIZE\n${id}\n  broken login  586.9 KiB\n`);
});

Deno.test("a painted cell is aligned as if it were plain", () => {
  const rows = [["S", "N"], [{ text: "ok", paint: ansiStyle.green }, "x"], ["problem", "y"]];
  const colored = renderTable(rows, { style: ansiStyle, width: 80 });
  const plain = renderTable([["S", "N"], ["ok", "x"], ["problem", "y"]], { style: plainStyle, width: 80 });
  // deno-lint-ignore no-control-regex -- colours are what is taken off
  assert.equal(colored.replaceAll(/\u001b\[\d+m/g, ""), plain);
  assert.notEqual(colored, plain);
});

Deno.test("an error says what failed and what to do; verbose adds causes and the stack", () => {
  const error = new UsageError("Cannot use \u001b[31m as a version", {
    hint: "Give a version.",
    context: { version: "x" },
    cause: new Error("outer", { cause: new TypeError("inner") }),
  });
  assert.equal(
    renderError(error, plainStyle, { verbose: false }),
    "Error: Cannot use \\e[31m as a version\n  Hint: Give a version.\n",
  );
  const verbose = renderError(error, plainStyle, { verbose: true });
  assert.match(verbose, /Kind: usage, exit code 2/);
  assert.match(verbose, /version: "x"/);
  assert.match(verbose, /Caused by: Error: outer\n.*Caused by: TypeError: inner\n/);
  assert.match(verbose, /at .*report_text_test\.ts/);
});

Deno.test("an error as JSON has the contract's five fields", () => {
  assert.deepEqual(errorToJson(new UsageError("no", { context: { flag: "--x" } })), {
    error: { code: 2, kind: "usage", message: "no", hint: null, context: { flag: "--x" } },
  });
  const internal = errorToJson(new TypeError("x is undefined")) as { error: { code: number; kind: string } };
  assert.equal(internal.error.code, 49);
  assert.equal(internal.error.kind, "internal");
  assert.equal((errorToJson("a string") as { error: { message: string } }).error.message, "a string");
});

Deno.test("a rollback's text report has the contract's sections, whatever happened", () => {
  for (const [name, report] of Object.entries(reports)) {
    if (report.operation !== "rollback") continue;
    const text = renderReport(report, plainStyle, { verbose: false });
    const sections = ["Pre-flight checks", "Details", "Removed artifacts", "Warnings", "Errors", "Summary"];
    for (const wanted of ["ROLLBACK REPORT", report.version, ...sections]) {
      assert.ok(text.includes(wanted), `${name} lacks ${wanted}`);
    }
  }
});

Deno.test("a long list of artifacts is cut for a terminal, whole in a file", () => {
  const paths = Array.from({ length: 500 }, (_, i) => `v1.0.2/file-${i}`);
  const report = { ...reports.success, artifacts_removed: paths, total_artifacts_removed: 500 };
  const short = renderReport(report, plainStyle, { verbose: false });
  assert.match(short, /file-19\n {2}and 480 more\n/);
  assert.doesNotMatch(short, /file-20\n/);
  assert.match(short, /Removed artifacts \(500\)/);
  const whole = reportFormats.text(report);
  for (const path of paths) assert.ok(whole.includes(`  ${path}\n`));
  assert.doesNotMatch(whole, /more\n/);
});

Deno.test("an outcome stays short however much there is to say", () => {
  const many = (n: number) => Array.from({ length: n }, (_, i) => `thing ${i}`);
  const steps = many(300).map((description) => ({
    kind: "x",
    description,
    status: "planned" as const,
    seconds: 0,
  }));
  const plan = renderOutcome({ ...reports.dryRun, steps, warnings: many(50) }, plainStyle);
  assert.ok(plan.split("\n").length < 35, plan);
  assert.match(plan, /and 280 more steps\n/);
  assert.match(plan, /and 45 more warnings\n/);
  const policy = many(40).map((id) => ({ id, outcome: "deny" as const, reason: id }));
  const denied = renderOutcome({ ...reports.denied, policy, errors: many(40) }, plainStyle);
  assert.match(denied, /and 35 more rules\n/);
});

Deno.test("nothing from an index reaches the terminal as a control character", () => {
  const evil = "\u001b]0;owned\u0007\u202e\u009b";
  const poison = (value: unknown): unknown => {
    if (typeof value === "string") return value + evil;
    if (Array.isArray(value)) return value.map(poison);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, poison(inner)]));
  };
  // Words that choose a case, or are written by backout itself, stay as they are.
  const closed = ["operation", "status", "rollback_type", "repository_type", "policy_mode"] as const;
  for (const report of Object.values(reports)) {
    const poisoned = poison(report) as Record<string, unknown>;
    for (const key of closed) poisoned[key] = report[key];
    poisoned.steps = report.steps.map((step) => ({ ...step, description: step.description + evil }));
    poisoned.policy = report.policy.map((rule) => ({
      ...rule,
      id: rule.id + evil,
      reason: rule.reason + evil,
    }));
    const hostile = poisoned as unknown as OperationReport;
    const text = renderOutcome(hostile, plainStyle) + renderReport(hostile, plainStyle, { verbose: true });
    // deno-lint-ignore no-control-regex -- control characters are what must not be there
    assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    assert.match(text, /\\e\]0;owned/);
  }
});

Deno.test("the JSON report is the report", () => {
  assert.deepEqual(JSON.parse(reportFormats.json(reports.success)), reportToJson(reports.success));
});
