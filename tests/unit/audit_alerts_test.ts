/** The alert rules that we ship: they ask for metrics that exist, and fire when they should. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { renderMetrics } from "#/report/mod.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import { run } from "./audit_support.ts";

const file = fileURLToPath(new URL("../../scripts/prometheus-alerts.yml", import.meta.url));

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: { readonly severity?: string };
  readonly annotations?: { readonly summary?: string; readonly description?: string };
}

const rules: readonly Rule[] = parse(Deno.readTextFileSync(file)).groups.flatMap((group: { rules: Rule[] }) =>
  group.rules
);
const alerts = rules.filter(({ alert }) => alert !== undefined);

const metrics = renderMetrics({
  repository: "/srv/releases",
  version: "1.0.0",
  operations: [{ operation: "rollback", status: "success", exit_code: 0, count: 1 }],
  durations: [{ operation: "rollback", count: 1, sum_seconds: 1, last_seconds: 1 }],
  last: [{
    operation: "rollback",
    finished_at: "2026-03-04T05:06:07Z",
    exit_code: 0,
    success_at: "2026-03-04T05:06:07Z",
  }],
  backups: 1,
  backup_bytes: 1,
  largest_backup_bytes: 1,
  lock_age_seconds: 1,
  unfinished_operations: 1,
  serial: 1,
  releases: 1,
  audit_entries: 1,
  free_bytes: 1,
});

Deno.test("alerts: every metric and every label that a rule asks for is in the metrics file", () => {
  const written = new Map([...metrics.matchAll(/^(backout_\w+)\{(.*)\} /gm)].map(([, name, labels]) => {
    const names = [...labels!.matchAll(/(\w+)="/g)].map(([, label]) => label!);
    return [name!, new Set(names)];
  }));
  const recorded = new Set(rules.flatMap(({ record }) => record ?? []));
  assert.ok(written.size > 10 && recorded.size > 0);
  for (const { expr, alert, record } of rules) {
    const name = alert ?? record!;
    for (const [metric] of expr.matchAll(/backout(:\w+)+/g)) {
      assert.ok(recorded.has(metric), `${name}: ${metric}`);
    }
    const asked = [...expr.matchAll(/\b(backout_\w+)(?:\{([^}]*)\})?/g)];
    for (const [, metric, matchers = ""] of asked) {
      const labels = written.get(metric!);
      assert.ok(labels !== undefined, `${name} asks for ${metric}, which is not written`);
      for (const [, label] of matchers.matchAll(/(\w+)\s*[=!]/g)) {
        assert.ok(labels.has(label!), `${name} asks for the label ${label} of ${metric}`);
      }
    }
    assert.ok(asked.length > 0 || /backout:/.test(expr), `${name} asks for nothing of ours`);
  }
});

Deno.test("alerts: what the rules are for is all there, each with a severity and with words for a person", () => {
  assert.deepEqual(alerts.map(({ alert }) => alert).sort(), [
    "BackoutAuditLogShrank",
    "BackoutAuditVolumeHigh",
    "BackoutBackupTooLarge",
    "BackoutBackupsLarge",
    "BackoutLastOperationFailed",
    "BackoutLockHeldLong",
    "BackoutNoSuccessForLong",
    "BackoutOperationUnfinished",
    "BackoutRollbackSlow",
    "BackoutSpaceRunsOut",
    "BackoutTakenBackOften",
    "BackoutVersionNotFoundSpike",
  ]);
  for (const { alert, labels, annotations } of alerts) {
    assert.match(labels?.severity ?? "", /^(warning|critical)$/, alert);
    assert.match(annotations?.summary ?? "", /\$labels\.repository/, alert);
    assert.ok((annotations?.description ?? "").length > 40, alert);
  }
});

testRequiring(["promtool"], "alerts: promtool finds nothing wrong with the rules", async () => {
  const { code, output } = await run("promtool", ["check", "rules", "--lint-fatal", file]);
  assert.equal(code, 0, output);
});

/** Series of one repository, and the alerts that fire at a minute. */
interface Case {
  readonly name: string;
  /** Minutes from one sample to the next; the first is at 0. */
  readonly every: 1 | 10;
  readonly series: Readonly<Record<string, string>>;
  readonly firing: Readonly<Record<number, readonly string[]>>;
}

const total = (exit_code: number, status = "failed") =>
  `backout_operations_total{repository="/r",operation="rollback",status="${status}",exit_code="${exit_code}"}`;
const of = (metric: string) => `${metric}{repository="/r"}`;
const info = { 'backout_build_info{repository="/r",version="1"}': "1x3000" };
const done = total(0, "success");
const GiB = 1024 ** 3;

const CASES: readonly Case[] = [
  {
    name: "a rollback of more than 5 s, until a quick one",
    every: 1,
    series: { 'backout_last_duration_seconds{repository="/r",operation="rollback"}': "5x9 5.1x9 0.2x9" },
    firing: { 5: [], 12: ["BackoutRollbackSlow"], 22: [] },
  },
  {
    name: "a slow publish is no slow rollback",
    every: 1,
    series: { 'backout_last_duration_seconds{repository="/r",operation="publish"}': "60x9" },
    firing: { 5: [] },
  },
  {
    name: "the first 43 ever, of few operations, for a day",
    every: 10,
    series: { ...info, [done]: "10x149 11x160", [total(43)]: "_x150 1x160" },
    firing: { 1490: [], 1510: ["BackoutTakenBackOften"], 3000: [] },
  },
  {
    name: "one 43 of a hundred operations a day",
    every: 10,
    series: { ...info, [done]: "0+1x200", [total(43)]: "_x150 1x50" },
    firing: { 1510: [] },
  },
  {
    name: "a further 43, where there were some before",
    every: 10,
    series: { ...info, [done]: "10+0.1x200", [total(43)]: "2x149 4x50" },
    firing: { 1490: [], 1510: ["BackoutTakenBackOften"] },
  },
  {
    name: "dry runs do not thin out what was really tried",
    every: 10,
    series: { ...info, [total(0, "dry_run")]: "0+10x200", [done]: "0x200", [total(43)]: "_x150 1x50" },
    firing: { 1510: ["BackoutTakenBackOften"] },
  },
  {
    name: "many asked for a version that is not there, for the first time",
    every: 1,
    series: { ...info, [total(40)]: "_x100 9x100" },
    firing: { 95: [], 110: ["BackoutVersionNotFoundSpike"], 130: [] },
  },
  {
    name: "now and then somebody asks for a version that is not there",
    every: 1,
    series: { ...info, [total(40)]: "0+0.1x200" },
    firing: { 150: [] },
  },
  {
    name: "a history that is there when the file is written for the first time is no news",
    every: 1,
    series: { 'backout_build_info{repository="/r",version="1"}': "_x100 1x100", [total(40)]: "_x100 50x100" },
    firing: { 105: [] },
  },
  {
    name: "backups over the threshold, for a while",
    every: 1,
    series: { [of("backout_backup_bytes")]: `${50 * GiB}x9 ${51 * GiB}x40` },
    firing: { 8: [], 20: [], 40: ["BackoutBackupsLarge"] },
  },
  {
    name: "one backup over the threshold",
    every: 1,
    series: { [of("backout_largest_backup_bytes")]: `${10 * GiB}x9 ${10 * GiB + 1}x40` },
    firing: { 8: [], 11: ["BackoutBackupTooLarge"] },
  },
  {
    name: "a disk that fills",
    every: 10,
    series: { [of("backout_free_bytes")]: `${10 * GiB}-${100 * 1024 * 1024}x50` },
    firing: { 400: ["BackoutSpaceRunsOut"] },
  },
  {
    name: "a loop that writes audit entries, and a quiet log",
    every: 1,
    series: { [of("backout_audit_entries")]: "100x60 100+20x60" },
    firing: { 59: [], 115: ["BackoutAuditVolumeHigh"] },
  },
  {
    name: "audit entries that are gone",
    every: 1,
    series: { [of("backout_audit_entries")]: "100x60 90x60" },
    firing: { 59: [], 70: ["BackoutAuditLogShrank"] },
  },
  {
    name: "a lock that is held",
    every: 1,
    series: { [of("backout_lock_age_seconds")]: "0x9 0+60x40 0x9" },
    firing: { 20: [], 40: ["BackoutLockHeldLong"], 55: [] },
  },
  {
    name: "an operation that nobody recovers",
    every: 1,
    series: { [of("backout_unfinished_operations")]: "0x9 1x30" },
    firing: { 12: [], 30: ["BackoutOperationUnfinished"] },
  },
  {
    name: "nothing succeeded for more than a week",
    every: 10,
    series: {
      'backout_last_success_timestamp_seconds{repository="/r",operation="publish"}': "0x1200",
      'backout_last_success_timestamp_seconds{repository="/r",operation="rollback"}': "600x1200",
    },
    firing: { 10080: [], 10200: ["BackoutNoSuccessForLong"] },
  },
  {
    name: "a last operation that failed, and refusals",
    every: 1,
    series: {
      'backout_last_exit_code{repository="/r",operation="restore"}': "0x9 45x30",
      'backout_last_exit_code{repository="/r",operation="rollback"}': "46x40",
      'backout_last_exit_code{repository="/r",operation="publish"}': "41x40",
    },
    firing: { 12: [], 30: ["BackoutLastOperationFailed"] },
  },
];

testRequiring(["promtool"], "alerts: they fire when they should, and only then", async () => {
  assert.deepEqual(
    [...new Set(CASES.flatMap(({ firing }) => Object.values(firing).flat()))].sort(),
    alerts.map(({ alert }) => alert).sort(),
    "every alert has a case in which it fires",
  );
  await withTempDir(async (folder) => {
    for (const every of [1, 10]) {
      const tests = CASES.filter((each) => each.every === every).map(promtoolTest);
      const cases = join(folder, "cases.json"); // YAML, as every JSON is
      Deno.writeTextFileSync(
        cases,
        JSON.stringify({ rule_files: [file], evaluation_interval: `${every}m`, tests }),
      );
      const { code, output } = await run("promtool", ["test", "rules", cases]);
      assert.equal(code, 0, output);
    }
  });
});

function promtoolTest({ name, every, series, firing }: Case) {
  return {
    name,
    interval: `${every}m`,
    input_series: Object.entries(series).map(([key, values]) => ({ series: key, values })),
    promql_expr_test: Object.entries(firing).map(([minute, names]) => ({
      expr: `count by (alertname) (ALERTS{alertstate="firing"})`,
      eval_time: `${minute}m`,
      exp_samples: names.map((alert) => ({ labels: `{alertname="${alert}"}`, value: 1 })),
    })),
  };
}
