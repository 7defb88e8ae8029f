/** How operations on rollback points are shown: whole documents for one of each ending. */
import assert from "node:assert/strict";
import {
  plainStyle,
  renderOutcome,
  renderReport,
  renderSnapshotMetrics,
  reportFormats,
} from "#/report/mod.ts";
import { planLines } from "#/report/snapshot_words.ts";
import { snapshotReports } from "./report_snapshot_fixtures.ts";
import { golden, hostileReport, hostileTexts } from "./report_support.ts";

for (const [name, report] of Object.entries(snapshotReports)) {
  Deno.test(`snapshot reports: outcome of ${name}`, async () => {
    await golden(`snapshot_${name}.outcome.txt`, renderOutcome(report, plainStyle));
  });
  Deno.test(`snapshot reports: text of ${name}`, async () => {
    await golden(`snapshot_${name}.report.txt`, renderReport(report, plainStyle, { verbose: true }));
  });
  Deno.test(`snapshot reports: JUnit of ${name}`, async () => {
    await golden(`snapshot_${name}.junit.xml`, reportFormats.junit(report));
  });
}

Deno.test("snapshot reports: HTML and step summary name targets, changes and checks", () => {
  const { restored } = snapshotReports;
  const html = reportFormats.html(restored);
  const summary = reportFormats.step_summary(restored);
  for (const text of [html, summary]) {
    for (const expected of ["config", "Target", "answered 503, not 200", "failed (advisory)"]) {
      assert.ok(text.includes(expected), expected);
    }
  }
  assert.ok(html.includes("/etc/app/app.conf"));
  assert.ok(!html.includes("serial"), "a workspace has no index");
});

Deno.test("snapshot reports: a failed advisory check fails nothing in JUnit, a required one does", () => {
  assert.ok(!reportFormats.junit(snapshotReports.restored).includes("<failure"));
  assert.match(reportFormats.junit(snapshotReports.checkFailed), /<failure type="health_check"/);
});

Deno.test("snapshot reports: what comes from outside is made harmless", () => {
  for (const text of hostileTexts) {
    const safe = hostileReport(snapshotReports.restored, text);
    const { snapshot } = safe;
    const report = {
      ...safe,
      snapshot: {
        ...snapshot!,
        id: text,
        safety_id: text,
        confirm_by: text,
        targets: snapshot!.targets.map((target) => ({
          ...target,
          name: text,
          type: text,
          metadata: { commit_hash: text, branch: text },
          changes: [{ action: "replace" as const, path: text, detail: text }],
        })),
        checks: snapshot!.checks.map((check) => ({ ...check, name: text, detail: text })),
      },
    };
    const html = reportFormats.html(report);
    assert.doesNotMatch(html, /<script|<img/);
    for (const shown of [renderOutcome(report, plainStyle), reportFormats.text(report)]) {
      // deno-lint-ignore no-control-regex -- a terminal must get none of them
      assert.doesNotMatch(shown, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    }
  }
});

Deno.test("snapshot reports: a question names every target, in at most so many lines", () => {
  const { dryRun } = snapshotReports;
  const many = Array.from({ length: 500 }, (_, i) => ({ action: "remove" as const, path: `/data/${i}` }));
  const targets = dryRun.snapshot!.targets.map((target) =>
    target.name === "config" ? { ...target, changes: many, removed: 500, changed: 0 } : target
  );
  const lines = planLines({ ...dryRun, snapshot: { ...dryRun.snapshot!, targets } }, 20);
  assert.ok(lines.length <= 20, `${lines.length} lines`);
  assert.match(lines.join("\n"), /app \(git_commit\)/);
  assert.match(lines.join("\n"), /config \(configuration\): planned: 500 to remove/);
  assert.match(lines.join("\n"), /and 493 more changes/);
  assert.match(lines.at(-1)!, /1 target as in the snapshot already/);
});

Deno.test("snapshot reports: the numbers of a workspace for Prometheus", () => {
  const text = renderSnapshotMetrics({
    workspace: '/srv/"a"\\b\n',
    snapshots: 3,
    snapshots_last_hour: 1,
    snapshots_last_day: 2,
    newest_at: "2026-03-04T05:06:07.000Z",
    restores: 4,
    restore_success_rate: 0.75,
    mean_snapshot_seconds: 0.5,
    mean_restore_seconds: null,
    verification_pass_rate: 1,
    store_bytes: 4096,
  });
  assert.match(text, /^backout_snapshots\{workspace="\/srv\/\\"a\\"\\\\b\\n"\} 3$/m);
  assert.match(text, /^backout_snapshot_restore_success_ratio\{.*\} 0\.75$/m);
  assert.match(text, /^backout_newest_snapshot_timestamp_seconds\{.*\} 1772600767$/m);
  assert.doesNotMatch(text, /restore_mean_seconds/, "what is not known has no sample");
});
