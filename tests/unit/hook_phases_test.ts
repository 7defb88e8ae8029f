/** Hooks around an operation: what stops it, what is only told. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { InterruptedError, RollbackPolicyViolationError } from "#/core/errors.ts";
import { type HookFacts, runAfterHooks, runBeforeHooks } from "#/operation/hook.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";

const facts: Omit<HookFacts, "phase"> = {
  operation: "rollback",
  version: "v1.0.2",
  id: "0195a0b1-2c3d-7e4f-8a5b-6c7d8e9f0a1b",
  repository: "/srv/releases",
  dry_run: false,
  reason: "broken login",
};
const readEnv = (name: string) => Deno.env.get(name);

testRequiring(["posix"], "a failing hook before an operation stops with what it said", async () => {
  await withTempDir(async (folder) => {
    const marker = join(folder, "second");
    const secret = "s3cr3t-token";
    const hooks = [
      { command: ["true"] },
      { command: ["sh", "-c", "echo one; echo 'no: \u001b[31mtoo late' >&2; exit 3", secret] },
      { command: ["touch", marker] },
    ];
    await assert.rejects(runBeforeHooks(hooks, facts, { env: readEnv, cwd: folder }), (error) => {
      assert.ok(error instanceof RollbackPolicyViolationError);
      assert.equal(error.code, 41);
      assert.match(
        error.message,
        /^The hook sh before the rollback failed with exit code 3: .*no: \\e\[31mtoo late/,
      );
      assert.equal(error.context.exit_code, 3);
      assert.ok(!JSON.stringify([error.message, error.hint, error.context]).includes(secret));
      return true;
    });
    assert.equal(exists(marker), false);
  });
});

testRequiring(["posix"], "hooks after an operation all run; a failing one is a warning", async () => {
  await withTempDir(async (folder) => {
    const hooks = [
      { command: ["backout-has-no-such-program"] },
      { command: ["sh", "-c", "exit 1"] },
      { command: ["sh", "-c", "kill -TERM $$"] },
      { command: ["sh", "-c", 'echo "$BACKOUT_PHASE $BACKOUT_STATUS $BACKOUT_EXIT_CODE" >told'] },
      { command: ["sleep", "600"], timeout_ms: 100 },
    ];
    const told = { ...facts, status: "failed", exit_code: 43 };
    // A stopped operation still runs them: they may start again what was stopped.
    const { warnings, results } = await runAfterHooks(hooks, told, {
      env: readEnv,
      cwd: folder,
      signal: AbortSignal.abort("SIGINT"),
    });
    assert.deepEqual(results.map((it) => it.end), ["not_found", "exited", "signaled", "exited", "timed_out"]);
    assert.deepEqual(warnings, [
      "The hook backout-has-no-such-program after the rollback was not found",
      "The hook sh after the rollback failed with exit code 1",
      "The hook sh after the rollback was ended by SIGTERM",
      "The hook sleep after the rollback did not end within 0.1 s and was killed",
    ]);
    assert.equal(await Deno.readTextFile(join(folder, "told")), "after failed 43\n");
  });
});

testRequiring(
  ["posix"],
  "a stop signal ends the hooks before an operation as a stop, not as a refusal",
  async () => {
    const stop = new AbortController();
    stop.abort("SIGTERM");
    const running = runBeforeHooks([{ command: ["sleep", "600"] }], facts, {
      env: readEnv,
      signal: stop.signal,
    });
    await assert.rejects(running, (error) => error instanceof InterruptedError && error.code === 143);
  },
);

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
