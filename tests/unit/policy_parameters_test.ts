/** The rules that need parameters or are off, in every mode, as golden files. */
import assert from "node:assert/strict";
import { RULES } from "#/policy/registry.ts";
import type { PolicySettings, RuleSetting } from "#/policy/settings.ts";
import { goldenDecision } from "./policy_golden.ts";
import { type Change, changed, leaving, policyFor } from "./policy_support.ts";

interface RuleCase {
  readonly rule: string;
  readonly setting: RuleSetting;
  readonly change: Change;
}

const publishing = { kind: "publish", type: "" } as const;

const CASES: Readonly<Record<string, RuleCase>> = {
  "channel protected": {
    rule: "protected-channel",
    setting: { channels: ["stable", "lts-*"] },
    change: {
      ...leaving({ channels: ["stable", "beta"] }),
      ...{
        plan: {
          ...leaving({ channels: ["stable", "beta"] }).plan,
          channels: [{ name: "stable", from: "v1.0.2", to: "v1.0.1" }],
        },
      },
    },
  },
  "channel not protected": {
    rule: "protected-channel",
    setting: { channels: ["stable"] },
    change: leaving({ channels: ["beta"] }),
  },
  "protected channel would move": {
    rule: "protected-channel",
    setting: { channels: ["lts-*"] },
    change: {
      operation: { kind: "channel_set", type: "" },
      plan: {
        channels: [{ name: "lts-one", from: "v1.0.1", to: "v1.0.2" }, {
          name: "beta",
          from: "",
          to: "v1.0.2",
        }],
      },
    },
  },
  "protected channel would be removed": {
    rule: "protected-channel",
    setting: { channels: ["stable"] },
    change: {
      operation: { kind: "restore", type: "" },
      plan: { channels: [{ name: "stable", from: "v1.0.1", to: "" }] },
    },
  },
  "frozen": {
    rule: "freeze-window",
    setting: {
      windows: [
        { days: ["fri"], hours: "12:00-18:00", time_zone: "Europe/Berlin", reason: "no deploys on Friday" },
        { dates: "2026-12-24..2026-12-26" },
      ],
    },
    change: { now: "2026-11-20T12:00:00.000Z" },
  },
  "not frozen": {
    rule: "freeze-window",
    setting: { windows: [{ days: ["fri"], hours: "12:00-13:00", time_zone: "Europe/Berlin" }] },
    change: { now: "2026-11-20T12:00:00.000Z" },
  },
  "publish frozen by name": {
    rule: "freeze-window",
    setting: { windows: [{ days: ["fri"] }], operations: ["publish"] },
    change: { operation: publishing },
  },
  "enough releases": { rule: "minimum-releases-kept", setting: { count: 3 }, change: {} },
  "too few releases": { rule: "minimum-releases-kept", setting: { count: 4 }, change: {} },
  "too few releases before": {
    rule: "minimum-releases-kept",
    setting: { count: 4 },
    change: { repository: { releases: 3 }, plan: { releases_left: 3 } },
  },
  "old enough": { rule: "minimum-age", setting: { age: "24h" }, change: {} },
  "too young": {
    rule: "minimum-age",
    setting: { age: "24h" },
    change: leaving({ published_at: "2026-11-20T09:30:00.000Z" }),
  },
  "young enough": { rule: "maximum-age", setting: { age: "30d" }, change: {} },
  "too old": { rule: "maximum-age", setting: { age: "2w" }, change: {} },
  "few artifacts": { rule: "maximum-artifacts", setting: { count: 3 }, change: {} },
  "many artifacts": { rule: "maximum-artifacts", setting: { count: 2 }, change: {} },
  "few bytes": { rule: "maximum-bytes", setting: { size: 3_000 }, change: {} },
  "many bytes": { rule: "maximum-bytes", setting: { size: "2KiB" }, change: {} },
  "many bytes to publish": {
    rule: "maximum-bytes",
    setting: { size: "1GiB", operations: ["publish"] },
    change: { operation: publishing, plan: { total_bytes: 0, bytes_added: 2_000_000_000 } },
  },
  "space": { rule: "free-space", setting: { minimum: "1GiB" }, change: {} },
  "no space": {
    rule: "free-space",
    setting: { minimum: "4GiB" },
    change: { operation: publishing, plan: { bytes_added: 1_000_000_000 } },
  },
  "backup kept": { rule: "backup-required", setting: "deny", change: {} },
  "no backup kept": { rule: "backup-required", setting: "deny", change: { operation: { no_backup: true } } },
  "no backup needed": {
    rule: "backup-required",
    setting: "deny",
    change: { operation: { type: "index_only", no_backup: true } },
  },
  "reason given": { rule: "reason-required", setting: "deny", change: { operation: { reason: "crash" } } },
  "no reason given": { rule: "reason-required", setting: "deny", change: { operation: { reason: "  " } } },
  "signed": { rule: "signature-required", setting: "warn", change: { operation: { signed: true } } },
  "not signed": { rule: "signature-required", setting: "deny", change: {} },
  "not signed, only a warning": { rule: "signature-required", setting: "warn", change: {} },
  "newest denied": { rule: "latest-release", setting: "deny", change: { repository: { newest: "v1.0.2" } } },
  "last good denied": {
    rule: "last-good-release-remains",
    setting: "deny",
    change: { plan: { good_releases_left: 0 } },
  },
  "no digests denied": {
    rule: "checksum-known",
    setting: "deny",
    change: leaving({ artifacts_without_digest: 3 }),
  },
  "dependents only warn": {
    rule: "dependents",
    setting: "warn",
    change: { plan: { dependents: [{ version: "v1.0.3", needs: ["v1.0.2"] }] } },
  },
};

for (const [name, { rule, setting, change }] of Object.entries(CASES)) {
  Deno.test(`policy with parameters: ${name}`, async () => {
    const policy = await policyFor({ rules: { [rule]: setting } });
    const alone = { ...policy, rules: policy.rules.filter((active) => active.rule.id === rule) };
    await goldenDecision(`${rule} ${name}`, alone, changed(change));
  });
}

Deno.test("policy: an age that the index does not say is denied", async () => {
  const { published_at: _unknown, ...release } = changed({}).plan.releases[0]!;
  const facts = changed({ plan: { releases: [release] } });
  for (const id of ["minimum-age", "maximum-age"]) {
    const policy = await policyFor({ rules: { [id]: { age: "1d" } } });
    const alone = { ...policy, rules: policy.rules.filter((active) => active.rule.id === id) };
    await goldenDecision(`${id} unknown`, alone, facts);
  }
});

Deno.test("policy: rules that need parameters are off without them", async () => {
  const { rules } = await policyFor({ rules: {} });
  const needy = rules.filter(({ rule }) => Object.values(rule.parameters ?? {}).some((it) => it.required));
  assert.equal(needy.length, 9);
  assert.deepEqual(needy.filter(({ severity }) => severity !== "off"), []);
});

Deno.test("policy: every rule has a golden file of a denial or of a warning", async () => {
  const folder = new URL("./golden/policy/", import.meta.url);
  const seen = new Set<string>();
  for await (const { name } of Deno.readDir(folder)) {
    const { strict } = JSON.parse(await Deno.readTextFile(new URL(name, folder)));
    for (const { id, outcome } of strict.results) if (outcome !== "pass") seen.add(id);
  }
  assert.deepEqual(RULES.map(({ id }) => id).filter((id) => !seen.has(id)), []);
});

Deno.test("policy: every severity can be set for every rule", async () => {
  for (const severity of ["deny", "warn", "off"] as const) {
    const examples: PolicySettings["rules"] = {
      "minimum-releases-kept": { severity, count: 2 },
      "protected-channel": { severity, channels: ["stable"] },
      "freeze-window": { severity, windows: [{ days: "mon" }] },
      "minimum-age": { severity, age: "1d" },
      "maximum-age": { severity, age: "1d" },
      "maximum-artifacts": { severity, count: 2 },
      "maximum-bytes": { severity, size: "1GiB" },
      "free-space": { severity, minimum: "1GiB" },
      "snapshot-age": { severity, max_age: "7d" },
    };
    const rules = Object.fromEntries(RULES.map(({ id }) => [id, examples[id] ?? severity]));
    const policy = await policyFor({ rules });
    assert.deepEqual(new Set(policy.rules.map((active) => active.severity)), new Set([severity]));
  }
});
