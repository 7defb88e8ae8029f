/** How checks are run: tries, times, the deadline, signals. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { checksFromValue } from "#/config/checks.ts";
import type { CheckContext, CheckResult } from "#/verify/check.ts";
import { requiredPassed, runChecks, type RunChecksOptions } from "#/verify/run_checks.ts";
import { withTempDir } from "../support/temp.ts";

function contextIn(folder: string, signal = new AbortController().signal): CheckContext {
  return { folder, env: (name) => name === "PATH" ? Deno.env.get(name) : undefined, signal, offline: false };
}

async function run(
  checks: readonly Readonly<Record<string, unknown>>[],
  context: CheckContext,
  options?: RunChecksOptions,
): Promise<readonly CheckResult[]> {
  return await runChecks(await checksFromValue(checks), context, options);
}

const missing = { type: "file_exists", path: "marker" };
const slow = { type: "command", command: ["sleep", "30"], timeout: "30s" };

Deno.test("checks: results in the order given, told as they come, advisory ones do not fail the whole", async () => {
  await withTempDir(async (folder) => {
    const told: string[] = [];
    const results = await run(
      [
        { type: "command", command: ["sleep", "0.1"], name: "later" },
        { ...missing, required: false, name: "advice" },
        { type: "file_exists", path: "." },
      ],
      contextIn(folder),
      { onResult: ({ name }) => told.push(name) },
    );
    assert.deepEqual(results.map(({ name, passed, required, tries }) => [name, passed, required, tries]), [
      ["later", true, true, 1],
      ["advice", false, false, 1],
      ["file_exists .", true, true, 1],
    ]);
    assert.equal(told.at(-1), "later");
    assert.equal(told.length, 3);
    assert.equal(requiredPassed(results), true);
    assert.equal(requiredPassed(await run([missing], contextIn(folder))), false);
    assert.deepEqual(await run([], contextIn(folder)), []);
  });
});

Deno.test("checks: tries until it passes, or none are left", async () => {
  await withTempDir(async (folder) => {
    const [failed] = await run([{ ...missing, retries: 2, interval: "1ms" }], contextIn(folder));
    assert.deepEqual([failed!.passed, failed!.tries], [false, 3]);
    const count = ["sh", "-c", 'echo x >> "$0"; test $(wc -l < "$0") -ge 3', join(folder, "count")];
    const [passed] = await run(
      [{ type: "command", command: count, retries: 9, interval: "1ms" }],
      contextIn(folder),
    );
    assert.deepEqual([passed!.passed, passed!.tries], [true, 3]);
  });
});

Deno.test("checks: the start delay comes before the first try", async () => {
  await withTempDir(async (folder) => {
    const appear = setTimeout(() => Deno.writeTextFileSync(join(folder, "marker"), ""), 20);
    try {
      const [result] = await run([{ ...missing, start_delay: "300ms" }], contextIn(folder));
      assert.deepEqual([result!.passed, result!.tries], [true, 1]);
    } finally {
      clearTimeout(appear);
    }
  });
});

Deno.test("checks: what cannot be looked at is not tried again", async () => {
  const gone = { type: "command", command: ["no-such-program-here"], retries: 5, interval: "1ms" };
  const [result] = await run([gone], contextIn("/"));
  assert.deepEqual([result!.passed, result!.tries], [false, 1]);
  assert.match(result!.detail, /^cannot be looked at: .*not found/);
});

Deno.test("checks: a try that is late is given up, and its program ended", async () => {
  const [result] = await run([{ ...slow, timeout: "100ms" }], contextIn("/"));
  assert.equal(result!.detail, "no answer within 0.1 s");
});

Deno.test("checks: the deadline is for all of them", async () => {
  await withTempDir(async (folder) => {
    const results = await run(
      [slow, { ...missing, retries: 1000, interval: "5ms" }, { ...missing, start_delay: "1h" }, {
        type: "file_exists",
        path: ".",
      }],
      contextIn(folder),
      { deadlineMs: 200 },
    );
    assert.deepEqual(results.map(({ passed }) => passed), [false, false, false, true]);
    assert.match(results[0]!.detail, /^stopped before it had an answer; the time for all checks is over$/);
    assert.match(results[1]!.detail, /found nothing; the time for all checks is over$/);
    assert.match(results[2]!.detail, /^not looked at: the time for all checks is over$/);
    assert.equal(results[2]!.tries, 0);
  });
});

Deno.test("checks: a signal stops them and is thrown", async () => {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort("SIGTERM"), 50);
  try {
    await assert.rejects(run([slow, slow], contextIn("/", stop.signal)), /Stopped by SIGTERM/);
  } finally {
    clearTimeout(timer);
  }
});
