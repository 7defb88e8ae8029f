/** Each rule's outcome with its reasons, in every mode, as golden files: `BACKOUT_UPDATE_GOLDEN=1` writes them anew. */
import assert from "node:assert/strict";
import { RollbackDependencyError, RollbackPolicyViolationError } from "#/core/errors.ts";
import { formatJson } from "#/core/json.ts";
import { denialError, evaluate } from "#/policy/evaluate.ts";
import { RULES } from "#/policy/registry.ts";
import type { PolicyFacts, Rule } from "#/policy/rule.ts";

const folder = new URL("./golden/policy/", import.meta.url);

const CLEAN: PolicyFacts = {
  operation: "rollback",
  type: "full",
  partial: false,
  no_backup: false,
  leaving: [{ version: "v1.0.2", state: "active", listed: 3, present: 3 }],
  newest: "v1.0.3",
  index_problems: [],
  dependents: [],
  stuck_channels: [],
  missing_dependencies: [],
  bad_channel_target: null,
};
const leaving = (more: Partial<PolicyFacts["leaving"][number]>) => ({
  leaving: [{ ...CLEAN.leaving[0]!, ...more }],
});

const CASES: Readonly<Record<string, Partial<PolicyFacts>>> = {
  "clean": {},
  "newest": { newest: "v1.0.2" },
  "absent": leaving({ state: "absent", listed: 0, present: 0 }),
  "no artifact left": leaving({ present: 0 }),
  "no artifact listed": leaving({ listed: 0, present: 0 }),
  "some artifacts left": leaving({ present: 1 }),
  "emptied": leaving({ state: "emptied", listed: 0, present: 0 }),
  "index only": { type: "index_only" },
  "index only without artifacts": { type: "index_only", ...leaving({ present: 0 }) },
  "artifacts only": { type: "artifacts_only" },
  "partial": { partial: true },
  "no backup": { no_backup: true },
  "index only, no backup": { type: "index_only", no_backup: true },
  "dependents": {
    dependents: [{ version: "v1.0.3", needs: ["v1.0.2"] }, {
      version: "v1.0.4",
      needs: ["v1.0.2", "v1.0.1"],
    }],
  },
  "stuck channel": { stuck_channels: [{ channel: "stable", candidates: ["v1.0.1", "v1.0.0"] }] },
  "stuck channel, nothing left": { stuck_channels: [{ channel: "stable", candidates: [] }] },
  "bad channel target": { bad_channel_target: "v0 cannot take over the channels: it is yanked" },
  "index problems": {
    index_problems: ["a", "b", "c", "d", "e", "f", "g"].map((name) => `${name} is listed twice`),
  },
  "everything": {
    newest: "v1.0.2",
    no_backup: true,
    ...leaving({ present: 0 }),
    index_problems: ["v0 is listed twice"],
    dependents: [{ version: "v1.0.3", needs: ["v1.0.2"] }],
    stuck_channels: [{ channel: "stable", candidates: [] }],
  },
};

const MODES = {
  strict: { mode: "strict", force: false },
  lenient: { mode: "lenient", force: false },
  force: { mode: "strict", force: true },
} as const;

for (const [name, change] of Object.entries(CASES)) {
  Deno.test(`policy: ${name}`, async () => {
    const facts = { ...CLEAN, ...change };
    const strict = seenIn(facts, "strict");
    const lenient = seenIn(facts, "lenient");
    const force = seenIn(facts, "force");
    assert.deepEqual(lenient, force, "lenient and force differ");
    assert.equal(force.refusal, null, "force was refused");
    const reasons = ({ results }: typeof force) => results.map(({ id, reason }) => [id, reason]);
    assert.deepEqual(reasons(force), reasons(strict), "force hides a reason");
    await golden(name, formatJson({ strict, lenient_or_force: lenient }));
  });
}

function seenIn(facts: PolicyFacts, mode: keyof typeof MODES) {
  const decision = evaluate(RULES, facts, MODES[mode]);
  const error = denialError(decision, "roll back v1.0.2") as RollbackPolicyViolationError | undefined;
  const refusal = error === undefined ? null : { code: error.code, message: error.message, hint: error.hint };
  return { results: decision.results, warnings: decision.warnings, refusal };
}

async function golden(name: string, text: string): Promise<void> {
  const file = new URL(`${name.replaceAll(/[^a-z]+/g, "-")}.json`, folder);
  if (Deno.env.get("BACKOUT_UPDATE_GOLDEN") === "1") {
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeTextFile(file, text);
  }
  assert.equal(text, await Deno.readTextFile(file));
}

Deno.test("policy: operations that take nothing out are not judged by the rules of a rollback", () => {
  for (const operation of ["publish", "restore", "yank", "channel_set", "backup_delete"] as const) {
    const decision = evaluate(RULES, { ...CLEAN, ...CASES.everything, operation }, MODES.strict);
    assert.deepEqual(decision, { results: [], denied: [], warnings: [] });
  }
});

Deno.test("policy: dependents give 42 also where other rules deny, else it is 41", () => {
  const errorOf = (change: Partial<PolicyFacts>) =>
    denialError(evaluate(RULES, { ...CLEAN, ...change }, MODES.strict), "x");
  assert.ok(errorOf(CASES.everything!) instanceof RollbackDependencyError);
  assert.ok(errorOf(CASES["stuck channel"]!) instanceof RollbackPolicyViolationError);
  assert.equal(errorOf({}), undefined);
});

Deno.test("policy: a rule that is off says nothing, one that warns never denies, and a milder finding stays mild", () => {
  const rule = (severity: Rule["severity"], finding?: "warn"): Rule => ({
    id: "r",
    purpose: "p",
    severity,
    appliesTo: () => true,
    check: () => [{ reason: "because", ...(finding === undefined ? {} : { severity: finding }) }],
  });
  const outcomes = (each: Rule) =>
    evaluate([each], CLEAN, MODES.strict).results.map((result) => result.outcome);
  assert.deepEqual(outcomes(rule("off")), []);
  assert.deepEqual(outcomes(rule("warn")), ["warn"]);
  assert.deepEqual(outcomes(rule("deny")), ["deny"]);
  assert.deepEqual(outcomes(rule("deny", "warn")), ["warn"]);
});

Deno.test("policy: ids are unique and every rule says what it protects", () => {
  assert.equal(new Set(RULES.map((rule) => rule.id)).size, RULES.length);
  for (const rule of RULES) assert.match(rule.purpose, /^\w.{10,}[^.]$/);
});
