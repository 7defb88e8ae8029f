/** The rules that hold without settings, in every mode, as golden files: `BACKOUT_UPDATE_GOLDEN=1` writes them anew. */
import assert from "node:assert/strict";
import { RollbackDependencyError, RollbackPolicyViolationError } from "#/core/errors.ts";
import { DEFAULT_POLICY } from "#/policy/compile.ts";
import { type ActiveRule, denialError, evaluate } from "#/policy/evaluate.ts";
import { RULES } from "#/policy/registry.ts";
import type { Rule, Severity } from "#/policy/rule.ts";
import { type Change, changed, CLEAN, leaving, policyFor, RELEASE } from "./policy_support.ts";
import { goldenDecision } from "./policy_golden.ts";

const CASES: Readonly<Record<string, Change>> = {
  "clean": {},
  "newest": { repository: { newest: "v1.0.2" } },
  "absent": leaving({ state: "absent", artifacts: 0, artifacts_present: 0 }),
  "no artifact left": leaving({ artifacts_present: 0 }),
  "no artifact listed": leaving({ artifacts: 0, artifacts_present: 0 }),
  "some artifacts left": leaving({ artifacts_present: 1 }),
  "emptied": leaving({ state: "emptied", artifacts: 0, artifacts_present: 0 }),
  "index only": { operation: { type: "index_only" } },
  "index only without artifacts": { operation: { type: "index_only" }, ...leaving({ artifacts_present: 0 }) },
  "artifacts only": { operation: { type: "artifacts_only" } },
  "partial": { operation: { partial: true } },
  "no backup": { operation: { no_backup: true } },
  "index only, no backup": { operation: { type: "index_only", no_backup: true } },
  "dependents": {
    plan: {
      dependents: [{ version: "v1.0.3", needs: ["v1.0.2"] }, {
        version: "v1.0.4",
        needs: ["v1.0.2", "v1.0.1"],
      }],
    },
  },
  "stuck channel": { plan: { stuck_channels: [{ channel: "stable", candidates: ["v1.0.1", "v1.0.0"] }] } },
  "stuck channel, nothing left": { plan: { stuck_channels: [{ channel: "stable", candidates: [] }] } },
  "bad channel target": { plan: { bad_channel_target: "v0 cannot take over the channels: it is yanked" } },
  "index problems": {
    repository: { problems: ["a", "b", "c", "d", "e", "f", "g"].map((name) => `${name} is listed twice`) },
  },
  "no digests": leaving({ artifacts_without_digest: 2 }),
  "last good release": { plan: { good_releases_left: 0 } },
  "no good release before": { repository: { good_releases: 0 }, plan: { good_releases_left: 0 } },
  "missing dependencies": {
    operation: { kind: "publish", type: "" },
    plan: { missing_dependencies: ["v1.0.1"] },
  },
  "publish on hold": {
    operation: { kind: "publish", type: "" },
    repository: {
      holds: [{ name: "incident-42", reason: "v1.0.2 loses data" }, { name: "audit", reason: "" }],
    },
  },
  "channel on hold": {
    operation: { kind: "channel_rollback", type: "" },
    repository: { holds: [{ name: "incident-42", reason: "v1.0.2 loses data" }] },
  },
  "rollback on hold": { repository: { holds: [{ name: "incident-42", reason: "v1.0.2 loses data" }] } },
  "everything": {
    operation: { no_backup: true },
    repository: { newest: "v1.0.2", problems: ["v0 is listed twice"] },
    plan: {
      releases: [{ ...RELEASE, artifacts_present: 0 }],
      dependents: [{ version: "v1.0.3", needs: ["v1.0.2"] }],
      stuck_channels: [{ channel: "stable", candidates: [] }],
    },
  },
};

for (const [name, change] of Object.entries(CASES)) {
  Deno.test(`policy: ${name}`, async () => {
    await goldenDecision(name, DEFAULT_POLICY, changed(change));
  });
}

Deno.test("policy: operations that take nothing out are not judged by the rules of a rollback", () => {
  for (const kind of ["publish", "restore", "yank", "channel_set", "backup_delete"] as const) {
    const facts = changed({ operation: { kind } }, changed(CASES.everything!));
    assert.deepEqual(evaluate(DEFAULT_POLICY, facts), { results: [], denied: [], warnings: [] });
  }
});

Deno.test("policy: settings that say nothing change nothing", async () => {
  const policy = await policyFor({ mode: "lenient", rules: {}, custom: [], waivers: [] });
  for (const change of Object.values(CASES)) {
    assert.deepEqual(evaluate(policy, changed(change)), evaluate(DEFAULT_POLICY, changed(change)));
  }
});

Deno.test("policy: dependents give 42 also where other rules deny, else it is 41", () => {
  const errorOf = (change: Change) => denialError(evaluate(DEFAULT_POLICY, changed(change)), "x");
  assert.ok(errorOf(CASES.everything!) instanceof RollbackDependencyError);
  assert.ok(errorOf(CASES["stuck channel"]!) instanceof RollbackPolicyViolationError);
  assert.equal(errorOf({}), undefined);
});

Deno.test("policy: a rule that is off says nothing, one that warns never denies, and a milder finding stays mild", () => {
  const active = (severity: Severity, finding?: "warn"): ActiveRule => {
    const rule: Rule = {
      id: "r",
      purpose: "p",
      hint: "h",
      severity: "deny",
      operations: ["rollback"],
      check: () => [{ reason: "because", ...(finding === undefined ? {} : { severity: finding }) }],
    };
    return { rule, severity, values: {} };
  };
  const outcomes = (each: ActiveRule) =>
    evaluate({ rules: [each], waivers: [] }, CLEAN).results.map((result) => result.outcome);
  assert.deepEqual(outcomes(active("off")), []);
  assert.deepEqual(outcomes(active("warn")), ["warn"]);
  assert.deepEqual(outcomes(active("deny")), ["deny"]);
  assert.deepEqual(outcomes(active("deny", "warn")), ["warn"]);
});

Deno.test("policy: ids are unique, and every rule says what it protects and what to do", () => {
  assert.equal(new Set(RULES.map((rule) => rule.id)).size, RULES.length);
  for (const rule of RULES) {
    assert.match(rule.purpose, /^\w.{10,}[^.]$/);
    assert.match(rule.hint, /^\S.{10,}\.$/);
    assert.ok(rule.operations.length > 0);
  }
});
