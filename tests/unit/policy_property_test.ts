/** What holds for every policy and every operation. */
import assert from "node:assert/strict";
import fc from "fast-check";
import "../support/property_seed.ts";
import { compilePolicy } from "#/policy/compile.ts";
import { denialError, evaluate } from "#/policy/evaluate.ts";
import { RULES } from "#/policy/registry.ts";
import type { PolicySettings, WaiverSetting } from "#/policy/settings.ts";
import { OPERATION_KINDS, type PolicyFacts } from "#/policy/view.ts";
import { changed, CLEAN, policyFor, RELEASE } from "./policy_support.ts";

const name = fc.constantFrom("v1", "v1.0.2", "v2", "stable", "lts");
const names = fc.uniqueArray(name, { maxLength: 3 });
const day = fc.integer({ min: 0, max: 60 }).map((days) =>
  new Date(Date.UTC(2026, 9, 1 + days)).toISOString()
);

const release = fc.record({
  version: name,
  state: fc.constantFrom("active", "bad", "emptied", "absent"),
  published_at: day,
  artifacts: fc.nat(5),
  artifacts_present: fc.nat(5),
  artifacts_without_digest: fc.nat(2),
  channels: names,
}).map((given) => ({ ...RELEASE, ...given }) as typeof RELEASE);

const facts: fc.Arbitrary<PolicyFacts> = fc.record({
  operation: fc.record({
    kind: fc.constantFrom(...OPERATION_KINDS),
    type: fc.constantFrom("full", "artifacts_only", "index_only"),
    partial: fc.boolean(),
    no_backup: fc.boolean(),
    signed: fc.boolean(),
    reason: fc.constantFrom("", "crash"),
  }),
  repository: fc.record({
    releases: fc.nat(5),
    good_releases: fc.nat(5),
    newest: name,
    free_bytes: fc.nat(1_000),
    problems: fc.array(name, { maxLength: 7 }),
    holds: fc.array(fc.record({ name, reason: name }), { maxLength: 2 }),
  }),
  releases: fc.uniqueArray(release, { maxLength: 3, selector: (it) => it.version }),
  plan: fc.record({
    total_artifacts: fc.nat(10),
    total_bytes: fc.nat(1_000),
    releases_left: fc.nat(5),
    good_releases_left: fc.nat(5),
    channels: fc.array(fc.record({ name, from: name, to: name }), { maxLength: 2 }),
    dependents: fc.array(fc.record({ version: name, needs: fc.uniqueArray(name, { minLength: 1 }) }), {
      maxLength: 2,
    }),
    missing_dependencies: names,
    stuck_channels: fc.array(fc.record({ channel: name, candidates: names }), { maxLength: 2 }),
  }),
  snapshot: fc.option(
    fc.record({
      id: name,
      created_at: day,
      required_checks: fc.nat(1),
      discard_changes: fc.boolean(),
      targets: fc.array(
        fc.record({
          name,
          type: fc.constant("git_commit"),
          undo: fc.constantFrom("exact", "none"),
          changes: fc.nat(2),
          removes: fc.nat(1),
          bytes: fc.nat(9),
          uncommitted: fc.array(name, { maxLength: 8 }),
        }),
        { maxLength: 3 },
      ),
    }),
    { nil: undefined },
  ),
  now: day,
}).map(({ operation, repository, releases, plan, snapshot, now }) =>
  changed(
    {
      operation,
      repository,
      plan: { ...plan, releases, versions: releases.map(({ version }) => version) },
      ...(snapshot === undefined ? {} : { snapshot }),
      now,
    } as Parameters<typeof changed>[0],
  )
);

const severity = fc.constantFrom("deny", "warn", "off");
const PARAMETERS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "minimum-releases-kept": { count: 3 },
  "protected-channel": { channels: ["sta*", "lts"] },
  "freeze-window": { windows: [{ days: ["mon", "tue"] }, { dates: "2026-10-05..2026-10-20" }] },
  "minimum-age": { age: "3d" },
  "maximum-age": { age: "20d" },
  "maximum-artifacts": { count: 4 },
  "maximum-bytes": { size: 500 },
  "free-space": { minimum: 300 },
  "snapshot-age": { max_age: "5d" },
};

const settings: fc.Arbitrary<PolicySettings> = fc.record({
  rules: fc.record(
    Object.fromEntries(
      RULES.map(({ id }) => [id, severity.map((chosen) => ({ severity: chosen, ...PARAMETERS[id] }))]),
    ),
    { requiredKeys: [] },
  ),
  custom: fc.constantFrom(
    [],
    [{ id: "big", when: "plan.total_bytes > 400", message: "big" }],
    [{ id: "lost", when: 'labels.team == "web"', message: "web", severity: "warn" as const }],
  ),
}) as fc.Arbitrary<PolicySettings>;

const waivers: fc.Arbitrary<readonly WaiverSetting[]> = fc.array(
  fc.record({
    rule: fc.constantFrom(...RULES.map(({ id }) => id)),
    scope: fc.constantFrom("*", "v1", "v1.*", "v?", "channel:stable", "channel:*"),
    approver: fc.constant("lead"),
    reason: fc.constant("why"),
    expires: day,
  }),
  { maxLength: 12 },
);

const RANK = { pass: 0, warn: 1, deny: 2 } as const;

Deno.test("property: a waiver never makes anything stricter, and touches only what it names", async () => {
  await fc.assert(
    fc.asyncProperty(facts, settings, waivers, async (given, written, granted) => {
      const without = evaluate(await policyFor(written), given);
      const with_ = evaluate(await policyFor({ ...written, waivers: granted }), given);
      assert.equal(with_.results.length, without.results.length);
      for (const [i, result] of with_.results.entries()) {
        const before = without.results[i]!;
        assert.ok(RANK[result.outcome] <= RANK[before.outcome]);
        if (result.waived_by === undefined) {
          assert.deepEqual(result, before);
          continue;
        }
        assert.deepEqual([before.outcome, result.outcome], ["deny", "warn"]);
        assert.ok(result.reason.startsWith(before.reason));
        assert.ok(
          granted.some(({ rule, expires }) =>
            rule === result.id && Date.parse(expires) > Date.parse(given.now)
          ),
        );
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("property: expired waivers change nothing but the warnings", async () => {
  await fc.assert(
    fc.asyncProperty(facts, settings, waivers, async (given, written, granted) => {
      const expired = granted.map((waiver) => ({ ...waiver, expires: "2020-01-01T00:00:00Z" }));
      const without = evaluate(await policyFor(written), given);
      const with_ = evaluate(await policyFor({ ...written, waivers: expired }), given);
      assert.deepEqual(with_.results, without.results);
      assert.deepEqual(with_.denied.map(({ result }) => result), without.denied.map(({ result }) => result));
      assert.deepEqual(with_.warnings.slice(0, without.warnings.length), without.warnings);
    }),
    { numRuns: 100 },
  );
});

Deno.test("property: lenient and force never deny, and say all that strict says", async () => {
  await fc.assert(
    fc.asyncProperty(facts, settings, waivers, async (given, written, granted) => {
      const policy = await policyFor({ ...written, waivers: granted });
      const strict = evaluate(policy, given);
      for (const operation of [{ mode: "lenient" }, { forced: true }] as const) {
        const mild = evaluate(policy, changed({ operation }, given));
        assert.equal(denialError(mild, "go on"), undefined);
        assert.deepEqual(
          mild.results.map(({ id, reason }) => [id, reason]),
          strict.results.map(({ id, reason }) => [id, reason]),
        );
        assert.ok(mild.results.every(({ outcome }) => outcome !== "deny"));
        for (const warning of strict.warnings) assert.ok(mild.warnings.includes(warning));
      }
    }),
    { numRuns: 200 },
  );
});

Deno.test("property: the same facts give the same decision, and are not changed", async () => {
  await fc.assert(
    fc.asyncProperty(facts, settings, waivers, async (given, written, granted) => {
      const policy = await policyFor({ ...written, waivers: granted });
      const frozen = deepFreeze(structuredClone(given));
      const once = evaluate(policy, frozen);
      const again = evaluate(await policyFor({ ...written, waivers: granted }), structuredClone(given));
      assert.equal(JSON.stringify(again.results), JSON.stringify(once.results));
      assert.deepEqual(again.warnings, once.warnings);
    }),
    { numRuns: 100 },
  );
});

Deno.test("property: a severity off silences its rule and no other", async () => {
  await fc.assert(
    fc.asyncProperty(facts, settings, fc.constantFrom(...RULES), async (given, written, { id }) => {
      const before = evaluate(await policyFor(written), given);
      const off = evaluate(await policyFor({ ...written, rules: { ...written.rules, [id]: "off" } }), given);
      assert.deepEqual(off.results, before.results.filter((result) => result.id !== id));
    }),
    { numRuns: 100 },
  );
});

Deno.test("property: whatever the settings are, they compile or are told what is wrong", async () => {
  const odd = fc.oneof(fc.jsonValue(), fc.constantFrom("deny", "off", "1h", "10GiB", null, [], {}));
  const words = fc.constantFrom(
    "rules",
    "custom",
    "waivers",
    "mode",
    "id",
    "when",
    "hold",
    "freeze-window",
    "windows",
    "__proto__",
    "constructor",
  );
  const any = fc.letrec((tie) => ({
    node: fc.oneof(
      { maxDepth: 4 },
      odd,
      fc.dictionary(words, tie("node"), { maxKeys: 4 }),
      fc.array(tie("node"), { maxLength: 3 }),
    ),
  })).node;
  await fc.assert(
    fc.asyncProperty(any, async (written) => {
      const { policy, problems } = await compilePolicy(written);
      for (const { message } of problems) assert.match(message, /\S/);
      if (problems.length === 0) evaluate(policy, CLEAN);
    }),
    { numRuns: 500 },
  );
});

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}
