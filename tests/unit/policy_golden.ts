/** A decision in every mode, compared with a golden file. */
import assert from "node:assert/strict";
import { formatJson } from "#/core/json.ts";
import { denialError, evaluate, type Policy } from "#/policy/evaluate.ts";
import type { PolicyFacts } from "#/policy/view.ts";
import { changed } from "./policy_support.ts";

const folder = new URL("./golden/policy/", import.meta.url);

const MODES = {
  strict: { mode: "strict", forced: false },
  lenient: { mode: "lenient", forced: false },
  force: { mode: "strict", forced: true },
} as const;

export async function goldenDecision(name: string, policy: Policy, facts: PolicyFacts): Promise<void> {
  const seenIn = (mode: keyof typeof MODES) => seen(policy, changed({ operation: MODES[mode] }, facts));
  const strict = seenIn("strict");
  const lenient = seenIn("lenient");
  const force = seenIn("force");
  assert.deepEqual(lenient, force, "lenient and force differ");
  assert.equal(force.refusal, null, "force was refused");
  const reasons = ({ results }: typeof force) => results.map(({ id, reason }) => [id, reason]);
  assert.deepEqual(reasons(force), reasons(strict), "force hides a reason");
  await golden(name, formatJson({ strict, lenient_or_force: lenient }));
}

function seen(policy: Policy, facts: PolicyFacts) {
  const decision = evaluate(policy, facts);
  const error = denialError(decision, "roll back v1.0.2");
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
