/** Runs single checks as `backout.yaml` would name them. */
import assert from "node:assert/strict";
import { checksFromValue } from "#/config/checks.ts";
import { runChecks } from "#/verify/run_checks.ts";
import type { CheckContext, CheckResult } from "#/verify/check.ts";

export interface Surroundings {
  readonly folder?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly offline?: boolean;
}

export function contextOf(
  { folder = "/", env = {}, signal, offline = false }: Surroundings = {},
): CheckContext {
  return {
    folder,
    env: (name) => env[name] ?? (["PATH", "HOME", "LANG"].includes(name) ? Deno.env.get(name) : undefined),
    signal: signal ?? new AbortController().signal,
    offline,
  };
}

/** The result of one check. */
export async function look(
  check: Readonly<Record<string, unknown>>,
  surroundings: Surroundings = {},
): Promise<CheckResult> {
  const specs = await checksFromValue([check]);
  const [result] = await runChecks(specs, contextOf(surroundings));
  assert.ok(result !== undefined);
  assert.ok(!result.detail.includes("\n"), "the detail is one line");
  return result;
}

/** Asserts that a check passes, or fails with this detail. */
export async function sees(
  check: Readonly<Record<string, unknown>>,
  surroundings: Surroundings,
  expected: "passes" | RegExp,
): Promise<CheckResult> {
  const result = await look(check, surroundings);
  if (expected === "passes") assert.ok(result.passed, result.detail);
  else {
    assert.ok(!result.passed, `it passes: ${result.detail}`);
    assert.match(result.detail, expected);
  }
  return result;
}

/** Waits until `ready` answers true; for servers that a test has started. */
export async function until(ready: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (await ready()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`${what} did not come up`);
}
