/** Hooks: how they end, what they are given, what is kept of what they print, and that nothing of them stays. */
import assert from "node:assert/strict";
import { join } from "node:path";
import {
  cleanEnvironment,
  hookEnvironment,
  type HookFacts,
  type HookRequest,
  hookSucceeded,
  runHook,
} from "#/operation/hook.ts";
import { lastLines, OUTPUT_LIMIT_BYTES, Tail } from "#/operation/hook_output.ts";
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
const env = hookEnvironment({ ...facts, phase: "before" }, readEnv);
const LONG_MS = 60_000;

function shell(script: string, request: Partial<HookRequest> = {}): HookRequest {
  return { command: ["sh", "-c", script], timeoutMs: LONG_MS, env, ...request };
}

testRequiring(["posix"], "a hook's exit code is its result", async () => {
  for (const code of [0, 1, 3, 255]) {
    const result = await runHook(shell(`exit ${code}`));
    assert.equal(result.end === "exited" && result.exit_code, code);
    assert.equal(hookSucceeded(result), code === 0);
  }
});

testRequiring(["posix"], "a hook that a signal ended says which", async () => {
  const result = await runHook(shell("kill -9 $$"));
  assert.equal(result.end === "signaled" && result.signal, "SIGKILL");
  assert.equal(hookSucceeded(result), false);
});

testRequiring(
  ["posix"],
  "a program that is not there, or is no program, is told apart from one that fails",
  async () => {
    await withTempDir(async (folder) => {
      const plain = join(folder, "plain.txt");
      await Deno.writeTextFile(plain, "no program");
      const run = (command: readonly string[], more: Partial<HookRequest> = {}) =>
        runHook({ command, timeoutMs: LONG_MS, env, ...more });
      assert.equal((await run(["backout-has-no-such-program"])).end, "not_found");
      assert.equal((await run([join(folder, "missing")])).end, "not_found");
      assert.match(reasonOf(await run([plain])), /permission denied/);
      assert.match(reasonOf(await run(["sh"], { cwd: join(folder, "missing") })), /no such folder/);
      assert.match(reasonOf(await run([])), /no program/);
      assert.match(reasonOf(await run(["sh", "a\0b"])), /NUL/);
    });
  },
);

function reasonOf(result: Awaited<ReturnType<typeof runHook>>): string {
  assert.equal(result.end, "not_started");
  return result.end === "not_started" ? result.reason : "";
}

testRequiring(["posix"], "words reach the program as they are: there is no shell", async () => {
  const words = ["$HOME", "; echo no", "a b", "*", "", "`id`"];
  const result = await runHook({
    command: ["sh", "-c", 'printf "<%s>" "$@"', "sh", ...words],
    timeoutMs: LONG_MS,
    env,
  });
  assert.equal(result.output, words.map((it) => `<${it}>`).join(""));
});

testRequiring(
  ["posix"],
  "a hook sees PATH, HOME, LANG and the facts of the operation, nothing else",
  async () => {
    Deno.env.set("BACKOUT_WEBHOOK_SECRET", "do-not-pass-on");
    try {
      const before = hookEnvironment({ ...facts, phase: "before" }, readEnv);
      const { output } = await runHook({ command: ["env"], timeoutMs: LONG_MS, env: before });
      const seen = Object.fromEntries(
        output.trim().split("\n").map((line) => line.split(/=(.*)/s).slice(0, 2)),
      );
      assert.deepEqual(Object.keys(seen).sort(), [
        "BACKOUT_DRY_RUN",
        "BACKOUT_EXIT_CODE",
        "BACKOUT_ID",
        "BACKOUT_OPERATION",
        "BACKOUT_PHASE",
        "BACKOUT_REASON",
        "BACKOUT_REPOSITORY",
        "BACKOUT_STATUS",
        "BACKOUT_VERSION",
        ...(Deno.env.get("HOME") === undefined ? [] : ["HOME"]),
        "LANG",
        "PATH",
      ]);
      assert.equal(seen.BACKOUT_REASON, "broken login");
      assert.equal(seen.BACKOUT_DRY_RUN, "false");
      assert.equal(seen.BACKOUT_PHASE, "before");
    } finally {
      Deno.env.delete("BACKOUT_WEBHOOK_SECRET");
    }
  },
);

Deno.test("an environment can always be passed on: no NUL, no lone surrogate, no endless value", () => {
  const told = hookEnvironment(
    {
      ...facts,
      phase: "after",
      id: null,
      reason: "a\0b\ud800",
      version: "v,".repeat(100_000),
      exit_code: 43,
    },
    () => undefined,
  );
  assert.equal(told.BACKOUT_REASON, "a\uFFFDb\uFFFD");
  assert.ok(told.BACKOUT_VERSION!.length <= 8_192);
  assert.equal(told.BACKOUT_ID, "");
  assert.equal(told.BACKOUT_EXIT_CODE, "43");
  assert.ok(cleanEnvironment(() => undefined).PATH!.includes("/usr/bin"));
});

testRequiring(["posix"], "a hook that is late is killed with everything it started", async () => {
  await withTempDir(async (folder) => {
    const pids = join(folder, "pids");
    // A child and its child, of which one does not listen to SIGTERM.
    const script =
      `trap '' TERM; (trap '' TERM; sleep 600 & echo $! >>"${pids}"; wait) & echo $! >>"${pids}"; ` +
      `echo begun; wait; sleep 600`;
    const stop = new AbortController();
    const running = runHook(shell(script, { signal: stop.signal, termGraceMs: 50 }));
    await eventually(() => linesOf(pids).length === 2);
    stop.abort();
    const result = await running;
    assert.equal(result.end, "stopped");
    assert.equal(result.output, "begun\n");
    for (const pid of linesOf(pids)) await eventually(() => !isAlive(Number(pid)));
  });
});

testRequiring(["posix"], "the time limit ends a hook", async () => {
  const result = await runHook(shell("echo waiting; sleep 600", { timeoutMs: 300, termGraceMs: 5_000 }));
  assert.equal(result.end, "timed_out");
  assert.equal(hookSucceeded(result), false);
});

testRequiring(["posix"], "a hook may leave something running: its output is not awaited", async () => {
  await withTempDir(async (folder) => {
    const pids = join(folder, "pids");
    const result = await runHook(shell(`echo started; sleep 600 & echo $! >"${pids}"`));
    const [pid] = linesOf(pids);
    assert.equal(hookSucceeded(result), true);
    assert.equal(result.output, "started\n");
    assert.equal(isAlive(Number(pid)), true);
    Deno.kill(Number(pid), "SIGKILL");
  });
});

testRequiring(["posix"], "of much output the end is kept", async () => {
  const result = await runHook(shell("yes 0123456789abcdef | head -c 3000000; echo the end >&2"));
  assert.equal(hookSucceeded(result), true);
  assert.equal(result.output_cut, true);
  assert.ok(new TextEncoder().encode(result.output).length <= OUTPUT_LIMIT_BYTES);
  assert.ok(result.output.length > OUTPUT_LIMIT_BYTES - 8);
  assert.ok(result.output.includes("0123456789abcdef\n0123456789abcdef\n"));
});

testRequiring(["posix"], "a hook reads its input, or does not", async () => {
  const text = "ä".repeat(200_000);
  const read = await runHook(shell("wc -c", { stdin: text }));
  assert.equal(read.output.trim(), "400000");
  const ignored = await runHook(shell("exec 0<&-; exit 0", { stdin: text }));
  assert.equal(hookSucceeded(ignored), true);
  const never = await runHook(shell("sleep 0.05", { stdin: text }));
  assert.equal(hookSucceeded(never), true);
});

Deno.test("the tail of an output does not begin in the middle of a character", () => {
  const tail = new Tail(5);
  for (const byte of new TextEncoder().encode("ääää")) tail.push(new Uint8Array([byte]));
  assert.equal(tail.isCut, true);
  assert.equal(tail.text(), "ää");
  const whole = new Tail(5);
  whole.push(new Uint8Array([0xff, 0x41]));
  assert.equal(whole.text(), "\uFFFDA");
  assert.equal(whole.isCut, false);
});

Deno.test("what is shown of an output cannot steer a terminal", () => {
  const shown = lastLines(
    "one\n\n\u001b]0;title\u0007\u001b[2Jtwo\r\n\u202ethree\n" + "x".repeat(500) + "\n",
    3,
  );
  assert.equal(shown, `\\e]0;title\\x7\\e[2Jtwo | \\x202ethree | ${"x".repeat(200)}…`);
  assert.equal(lastLines("\n \n"), "");
});

testRequiring(
  ["posix"],
  "without the permission to run programs a hook is refused, not asked for",
  async () => {
    const script = `
    const { runHook } = await import("#/operation/hook.ts");
    const result = await runHook({ command: ["true"], timeoutMs: 1000, env: {} });
    console.log(result.end, result.reason);`;
    await withTempDir(async (folder) => {
      const root = new URL("../../", import.meta.url);
      const file = join(folder, "no_run.ts");
      await Deno.writeTextFile(file, script);
      const config = new URL("deno.json", root).pathname;
      const { stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--no-check", "--config", config, "--allow-read", file],
        stdin: "null",
        stderr: "null",
      }).output();
      assert.match(new TextDecoder().decode(stdout), /^not_started .*permission to run programs\n$/);
    });
  },
);

function linesOf(path: string): readonly string[] {
  try {
    return Deno.readTextFileSync(path).split("\n").filter((line) => line !== "");
  } catch {
    return [];
  }
}

/** False also for one that has ended and is only not collected yet. */
function isAlive(pid: number): boolean {
  const { stdout } = new Deno.Command("ps", { args: ["-o", "stat=", "-p", String(pid)] }).outputSync();
  const state = new TextDecoder().decode(stdout).trim();
  return state !== "" && !state.startsWith("Z");
}

async function eventually(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    assert.ok(tries < 1_000, "it never came true");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
