import assert from "node:assert/strict";
import fc from "fast-check";
import "../support/property_seed.ts";
import { type MetricsInput, renderMetrics, summariseOperations } from "#/report/mod.ts";
import { golden, hostileTexts } from "./report_support.ts";

const records = [
  record("rollback", "success", 0, "2026-03-04T05:06:07.000Z", 1.5),
  record("rollback", "failed", 43, "2026-03-04T06:00:00.000Z", 9),
  record("rollback", "success", 0, "2026-03-04T05:30:00.000Z", 0.25),
  record("rollback", "dry_run", 0, "2026-03-04T07:00:00.000Z", 0.01),
  record("publish", "success", 0, "2026-03-01T00:00:00.000Z", 2),
  record("restore", "failed", 40, "2026-03-02T00:00:00.000Z", 0.1),
  record("restore", "failed", 40, "2026-03-02T00:00:01.000Z", 0.1),
];

function record(operation: string, status: string, exit_code: number, finished_at: string, seconds: number) {
  const started_at = new Date(Date.parse(finished_at) - seconds * 1000).toISOString();
  return { operation, status, exit_code, started_at, finished_at, dry_run: status === "dry_run" };
}

const input: MetricsInput = {
  repository: "/srv/releases",
  version: "0.1.0",
  ...summariseOperations(records),
  backups: 3,
  backup_bytes: 1_258_291,
  largest_backup_bytes: 1_000_000,
  lock_age_seconds: 0,
  unfinished_operations: 0,
  serial: 7,
  releases: 2,
  audit_entries: 12,
  free_bytes: 123_456_789_012,
};

Deno.test("golden: metrics", async () => {
  await golden("metrics.prom", renderMetrics(input));
});

Deno.test("metrics: history is counted by kind, status and exit code, whatever its order", () => {
  const summary = summariseOperations(records);
  assert.deepEqual(summary.operations.filter((it) => it.operation === "restore"), [
    { operation: "restore", status: "failed", exit_code: 40, count: 2 },
  ]);
  assert.deepEqual(summary.durations, [
    { operation: "publish", count: 1, sum_seconds: 2, last_seconds: 2 },
    { operation: "rollback", count: 2, sum_seconds: 1.75, last_seconds: 0.25 },
  ]);
  assert.deepEqual(summary.last.find((it) => it.operation === "rollback"), {
    operation: "rollback",
    finished_at: "2026-03-04T06:00:00.000Z",
    exit_code: 43,
    success_at: "2026-03-04T05:30:00.000Z",
  });
  assert.deepEqual(summariseOperations(records.toReversed()), summary);
  assert.deepEqual(summariseOperations([]), { operations: [], durations: [], last: [] });
});

Deno.test("metrics: what is not known has no sample, nor a heading", () => {
  const text = renderMetrics({
    ...input,
    ...summariseOperations([record("restore", "failed", 40, "2026-03-02T00:00:00.000Z", 1)]),
    backups: null,
    backup_bytes: null,
  });
  assert.doesNotMatch(text, /backout_backups\b|backout_backup_bytes|last_success|duration/);
  assert.match(text, /backout_largest_backup_bytes/);
});

const SAMPLE =
  /^(backout_[a-z_]+?)(_sum|_count)?\{([a-z_]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\[\\"n])*")*)\} (-?[0-9.e+-]+|NaN|[+-]Inf)$/;

Deno.test("metrics: every line is of the format, also with hostile names, and says the name back", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom("\\", '"', "\n", "n", "}", ",", "=") }),
    fc.constantFrom(...hostileTexts),
  );
  fc.assert(fc.property(text, text, (repository, operation) => {
    const rendered = renderMetrics({
      ...input,
      ...summariseOperations([record(operation, "success", 0, "2026-03-02T00:00:00.000Z", 1)]),
      repository,
    });
    assert.ok(rendered.endsWith("\n"));
    const declared = new Set<string>();
    for (const line of rendered.slice(0, -1).split("\n")) {
      const [, type] = /^# TYPE (\S+) (?:counter|gauge|summary)$/.exec(line) ?? [];
      if (type !== undefined) {
        assert.ok(!declared.has(type), `${type} is declared twice`);
        declared.add(type);
      }
      if (line.startsWith("# ")) continue;
      const [, name, suffix, labels] = SAMPLE.exec(line) ?? assert.fail(`not a sample: ${line}`);
      assert.ok(declared.has(name!) || declared.has(`${name}${suffix}`), `${name} is not declared`);
      const shown = /^repository="((?:[^"\\]|\\.)*)"/.exec(labels!)![1]!;
      assert.equal(unescape(shown), repository.toWellFormed());
    }
    assert.ok(declared.has("backout_last_success_timestamp_seconds"));
  }));
});

function unescape(label: string): string {
  return label.replace(/\\([\\"n])/g, (_, character: string) => character === "n" ? "\n" : character);
}
