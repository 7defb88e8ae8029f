/** The rules about rollback points, in every mode, as golden files; and what the policy says of a failure. */
import assert from "node:assert/strict";
import { automaticRollback } from "#/policy/automatic.ts";
import { compilePolicy, DEFAULT_POLICY } from "#/policy/compile.ts";
import { evaluate } from "#/policy/evaluate.ts";
import type { PolicySettings } from "#/policy/settings.ts";
import {
  NO_SNAPSHOT,
  OPERATION_KINDS,
  type PolicyFacts,
  type SnapshotFacts,
  snapshotPolicyFacts,
  type TargetFacts,
} from "#/policy/view.ts";
import type { OperationKind } from "#/report/model.ts";
import { goldenDecision } from "./policy_golden.ts";
import { policyFor } from "./policy_support.ts";

const NOW = new Date("2026-11-20T12:00:00.000Z");

const APP: TargetFacts = {
  name: "app",
  type: "git_commit",
  undo: "exact",
  changes: 3,
  removes: 1,
  bytes: 1_000,
  uncommitted: [],
};

function facts(more: Partial<SnapshotFacts> = {}, kind: OperationKind = "snapshot_restore"): PolicyFacts {
  return snapshotPolicyFacts({
    operation: { kind, mode: "strict", forced: false, dry_run: false, signed: false, reason: "" },
    workspace: "/srv/app",
    snapshot: {
      ...NO_SNAPSHOT,
      id: "rb-0123456789ab",
      created_at: "2026-11-19T12:00:00.000Z",
      origin: "manual",
      targets: [APP],
      checks: 2,
      required_checks: 1,
      ...more,
    },
    freeBytes: 5_000_000_000,
    user: { name: "ana", host: "web-1" },
    now: NOW,
  });
}

const names = ["a", "b", "c", "d", "e", "f", "g"].map((name) => `src/${name}.ts`);

const CASES: Readonly<Record<string, PolicyFacts>> = {
  "restore": facts(),
  "restore without checks": facts({ checks: 0, required_checks: 0 }),
  "restore with advice only": facts({ required_checks: 0 }),
  "restore over uncommitted work": facts({
    targets: [{ ...APP, uncommitted: names }, { ...APP, name: "docs", uncommitted: ["notes.md"] }],
  }),
  "restore that discards": facts({ targets: [{ ...APP, uncommitted: names }], discard_changes: true }),
  "restore of what cannot be taken back": facts({
    targets: [{ ...APP, name: "mail", type: "command", undo: "none", changes: 1 }],
  }),
  "restore that leaves it as it is": facts({
    targets: [{ ...APP, name: "mail", type: "command", undo: "none", changes: 0 }],
  }),
};

for (const [name, given] of Object.entries(CASES)) {
  Deno.test(`policy of rollback points: ${name}`, async () => {
    await goldenDecision(`snapshot ${name}`, DEFAULT_POLICY, given);
  });
}

const SETTINGS: Readonly<Record<string, readonly [PolicySettings, PolicyFacts]>> = {
  "young enough": [{ rules: { "snapshot-age": { max_age: "2d" } } }, facts()],
  "too old": [{ rules: { "snapshot-age": { max_age: "12h", severity: "deny" } } }, facts()],
  "frozen": [{ rules: { "freeze-window": { windows: [{ days: ["fri"] }] } } }, facts()],
  "guard frozen": [{ rules: { "freeze-window": { windows: [{ days: ["fri"] }] } } }, facts({}, "guard")],
  "no reason": [{ rules: { "reason-required": "deny" } }, facts({}, "snapshot_delete")],
  "no room": [{ rules: { "free-space": { minimum: "10GiB" } } }, facts({}, "snapshot_create")],
  "a rule of its own": [
    {
      custom: [{
        id: "no-database",
        when: 'snapshot.targets.exists(t, t.type == "git_commit" && t.removes > 0)',
        message: "files would go",
      }],
    },
    facts(),
  ],
  "waived": [
    {
      rules: { "checks-declared": "deny" },
      waivers: [{
        rule: "checks-declared",
        scope: "rb-0*",
        approver: "lead",
        reason: "drill",
        expires: "2027-01-01T00:00:00Z",
      }],
    },
    facts({ checks: 0, required_checks: 0 }),
  ],
};

for (const [name, [settings, given]] of Object.entries(SETTINGS)) {
  Deno.test(`policy of rollback points with settings: ${name}`, async () => {
    await goldenDecision(`snapshot with ${name}`, await policyFor(settings), given);
  });
}

Deno.test("policy: an age that is not known is no age", async () => {
  const { created_at: _unknown, ...snapshot } = facts().snapshot!;
  const policy = await policyFor({ rules: { "snapshot-age": { max_age: "1d", severity: "deny" } } });
  const { denied } = evaluate(policy, { ...facts(), snapshot });
  assert.deepEqual(denied.map(({ result }) => result.reason), [
    "it is not known when rb-0123456789ab was made",
  ]);
});

Deno.test("policy: rules about releases have nothing to say of rollback points, also those of one's own", async () => {
  const everything = await policyFor({
    rules: {
      "protected-channel": { channels: ["*"] },
      "backup-required": "deny",
      "maximum-bytes": { size: 1 },
    },
    custom: [
      { id: "of-releases", when: 'labels.team == "web"', message: "x" },
      { id: "of-plans", when: "plan.total_bytes >= 0", message: "x" },
      { id: "of-people", when: 'user.name == "ana"', message: "not ana" },
    ],
  });
  for (const kind of OPERATION_KINDS.filter((it) => it.startsWith("snapshot_"))) {
    const { denied } = evaluate(everything, facts({}, kind));
    assert.deepEqual(denied.map(({ rule }) => rule.id), ["of-people"], kind);
  }
});

Deno.test("policy: rules of rollback points have nothing to say of releases", async () => {
  const policy = await policyFor({ custom: [{ id: "s", when: 'snapshot.id == ""', message: "x" }] });
  const given = facts();
  const { snapshot: _none, ...release } = {
    ...given,
    operation: { ...given.operation, kind: "yank" as const },
  };
  assert.deepEqual(evaluate(policy, release).results, []);
});

const AUTOMATIC: PolicySettings = {
  automatic: [
    {
      when: 'failure.kind == "deployment" && failure.severity in ["high", "critical"]',
      tests: [{ type: "file_exists", path: "/app/config.yml" }],
    },
    { when: 'double(failure.labels["error_rate"]) > 0.05', tests: [] },
  ],
};

Deno.test("policy: which failures are rolled back automatically, and how that is checked", () => {
  const ask = (context: unknown) => automaticRollback(AUTOMATIC, context, NOW);
  assert.deepEqual(ask({ failure_type: "deployment", severity: "critical", error_rate: 0 }), {
    status: "automatic_rollback_required",
    reason:
      'the policy rolls back when failure.kind == "deployment" && failure.severity in ["high", "critical"]',
    validation_tests: [{ type: "file_exists", path: "/app/config.yml" }],
  });
  assert.equal(ask({ error_rate: 0.2 }).status, "automatic_rollback_required");
  assert.equal(ask({ error_rate: 0.01 }).status, "no_rollback_required");
});

Deno.test("policy: what cannot be judged is for a person to decide", () => {
  const decision = automaticRollback(AUTOMATIC, { type: "deployment" }, NOW);
  assert.equal(decision.status, "manual_decision_required");
  assert.match(decision.reason, /error_rate.* cannot be judged/);
  for (const context of [undefined, null, "text", [1], { type: { nested: 1 } }]) {
    assert.equal(automaticRollback(AUTOMATIC, context, NOW).status, "manual_decision_required");
    assert.deepEqual(automaticRollback(undefined, context, NOW), {
      status: "no_rollback_required",
      reason: "the policy names no failure that is rolled back automatically",
      validation_tests: [],
    });
  }
});

Deno.test("policy: mistakes in automatic are told with their place", async () => {
  const told = async (automatic: unknown) =>
    (await compilePolicy({ automatic })).problems.map(({ path, message }) => `${path.join(".")}: ${message}`);
  assert.deepEqual(await told({ when: 'failure.kind == "x"' }), []);
  assert.deepEqual(await told({ tests: [] }), ["automatic: automatic lacks when"]);
  assert.deepEqual(await told([{ when: "true", test: [] }]), [
    'automatic.0.test: "test" is not a known key in automatic.0',
  ]);
  assert.deepEqual(await told({ when: "true", tests: "x" }), [
    "automatic.tests: automatic.tests must be a list of checks",
  ]);
  assert.deepEqual(await told({ when: "plan.total_bytes > 1" }), [
    "automatic.when: the expression: plan is not known here",
  ]);
  assert.match((await told({ when: "failure.kid == 1" }))[0]!, /^automatic\.when: the expression: .*kid/);
  const { problems } = await compilePolicy({
    custom: [{ id: "a", when: "failure.attempts > 1", message: "x" }],
  });
  assert.match(problems[0]!.message, /failure is not known to rules/);
});
