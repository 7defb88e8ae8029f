import assert from "node:assert/strict";
import { denialError, evaluate } from "#/policy/evaluate.ts";
import type { PolicySettings, WaiverSetting } from "#/policy/settings.ts";
import { type Change, changed, CLEAN, policyFor, RELEASE } from "./policy_support.ts";

const LIVE: WaiverSetting = {
  rule: "freeze-window",
  scope: "v1.0.2",
  approver: "ops-lead",
  reason: "incident 42",
  expires: "2026-12-01T00:00:00Z",
};

const FROZEN: PolicySettings["rules"] = { "freeze-window": { windows: [{ days: "fri" }] } };

async function decide(waivers: readonly WaiverSetting[], change: Change = {}, rules = FROZEN) {
  const policy = await policyFor({ rules: rules!, waivers });
  const decision = evaluate(policy, changed(change));
  return {
    rows: (id: string) => decision.results.filter((result) => result.id === id),
    code: denialError(decision, "go on")?.code ?? 0,
    warnings: decision.warnings,
  };
}

Deno.test("waiver: a live one turns a denial into a warning that names approver, reason and expiry", async () => {
  assert.equal((await decide([])).code, 41);
  const { rows, code, warnings } = await decide([LIVE]);
  assert.equal(code, 0);
  assert.deepEqual(rows("freeze-window"), [{
    id: "freeze-window",
    outcome: "warn",
    reason: "it is frozen now: fri (UTC) (waived by ops-lead until 2026-12-01T00:00:00Z: incident 42)",
    waived_by: { approver: "ops-lead", reason: "incident 42", expires: "2026-12-01T00:00:00Z" },
  }]);
  assert.ok(warnings.includes(`freeze-window: ${rows("freeze-window")[0]!.reason}`));
});

Deno.test("waiver: an expired one does nothing and is told", async () => {
  for (const expires of ["2026-11-20T12:00:00.000Z", "2026-11-20T12:59:00+01:00", "2020-01-01T00:00:00Z"]) {
    const { code, warnings, rows } = await decide([{ ...LIVE, expires }]);
    assert.equal(code, 41);
    assert.equal(rows("freeze-window")[0]!.waived_by, undefined);
    assert.ok(
      warnings.includes(
        `freeze-window: the waiver by ops-lead for v1.0.2 expired at ${expires} and does nothing`,
      ),
      warnings.join("\n"),
    );
  }
  const open = await decide([{ ...LIVE, expires: "2026-11-20T12:00:00.001Z" }]);
  assert.equal(open.code, 0);
});

Deno.test("waiver: an expired one for something else is not told", async () => {
  const expires = "2020-01-01T00:00:00Z";
  const none = await decide([{ ...LIVE, expires, scope: "v9" }, { ...LIVE, expires, rule: "hold" }]);
  assert.deepEqual(none.warnings, []);
});

Deno.test("waiver: the one that holds longest is named", async () => {
  const longer = { ...LIVE, approver: "cto", expires: "2027-01-01T00:00:00Z" };
  const { rows } = await decide([LIVE, longer, { ...LIVE, expires: "2020-01-01T00:00:00Z" }]);
  assert.equal(rows("freeze-window")[0]!.waived_by!.approver, "cto");
});

Deno.test("waiver: it covers its rule and its scope, nothing else", async () => {
  const scopes: readonly (readonly [string, number])[] = [
    ["v1.0.2", 0],
    ["v1.0.*", 0],
    ["v1.0.?", 0],
    ["*", 0],
    ["v1.0", 41],
    ["v1.0.3", 41],
    ["channel:stable", 41],
  ];
  for (const [scope, code] of scopes) assert.equal((await decide([{ ...LIVE, scope }])).code, code, scope);
  assert.equal((await decide([{ ...LIVE, rule: "protected-channel" }])).code, 41);
});

Deno.test("waiver: of an operation on several versions it must cover all", async () => {
  const both = {
    plan: { versions: ["v1.0.3", "v1.0.2"], releases: [{ ...RELEASE, version: "v1.0.3" }, RELEASE] },
  };
  assert.equal((await decide([LIVE], both)).code, 41);
  assert.equal(
    (await decide([LIVE, { ...LIVE, scope: "v1.0.3" }], both)).code,
    41,
    "two waivers are not one",
  );
  assert.equal((await decide([{ ...LIVE, scope: "v1.0.*" }], both)).code, 0);
});

Deno.test("waiver: findings of one version are waived one by one", async () => {
  const old = { ...RELEASE, published_at: "2020-01-01T00:00:00Z" };
  const both = { plan: { versions: ["v1.0.3", "v1.0.2"], releases: [{ ...old, version: "v1.0.3" }, old] } };
  const rules = { "maximum-age": { age: "30d" } };
  const { rows, code } = await decide([{ ...LIVE, rule: "maximum-age" }], both, rules);
  assert.equal(code, 41);
  assert.deepEqual(rows("maximum-age").map(({ outcome, waived_by }) => [outcome, waived_by !== undefined]), [
    ["deny", false],
    ["warn", true],
  ]);
});

Deno.test("waiver: a channel's covers what is about that channel", async () => {
  const stable = { plan: { releases: [{ ...RELEASE, channels: ["stable"] }] } };
  const two = { plan: { releases: [{ ...RELEASE, channels: ["stable", "lts"] }] } };
  const rules = { "protected-channel": { channels: ["*"] } };
  const waiver = { ...LIVE, rule: "protected-channel", scope: "channel:stable" };
  assert.equal((await decide([waiver], stable, rules)).code, 0);
  const { rows, code } = await decide([waiver], two, rules);
  assert.equal(code, 41);
  assert.deepEqual(rows("protected-channel").map(({ outcome }) => outcome), ["warn", "deny"]);
  const frozen = await decide([{ ...LIVE, scope: "channel:sta*" }], stable);
  assert.equal(frozen.code, 0, "a freeze of an operation that touches only this channel");
});

Deno.test("waiver: dependents are waived by what leaves, and a custom rule by its id", async () => {
  const needed = { plan: { dependents: [{ version: "v1.0.3", needs: ["v1.0.2"] }] } };
  assert.equal((await decide([], needed, {})).code, 42);
  assert.equal((await decide([{ ...LIVE, rule: "dependents" }], needed, {})).code, 0);
  const policy = await policyFor({
    custom: [{ id: "never", when: "true", message: "no" }],
    waivers: [{ ...LIVE, rule: "never" }],
  });
  assert.equal(denialError(evaluate(policy, CLEAN), "go on"), undefined);
});

Deno.test("waiver: what only warns is not waived", async () => {
  const { rows } = await decide(
    [{ ...LIVE, rule: "latest-release" }],
    { repository: { newest: "v1.0.2" } },
    {},
  );
  assert.equal(rows("latest-release")[0]!.waived_by, undefined);
});
