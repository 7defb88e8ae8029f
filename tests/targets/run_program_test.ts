import assert from "node:assert/strict";
import { type ProgramError, runProgram, streamProgram } from "#/target/run_program.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";

const env = (name: string) => name === "PATH" ? Deno.env.get("PATH") : undefined;
const still = new AbortController().signal;
const context = { env, signal: still };

function sh(
  script: string,
  more: Partial<Parameters<typeof runProgram>[0]> = {},
): Parameters<typeof runProgram>[0] {
  return { program: "sh", args: ["-c", script], package: "dash", context, ...more };
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function streamOf(...parts: readonly string[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(parts.map((it) => new TextEncoder().encode(it)));
}

async function gone(pidFile: string): Promise<boolean> {
  const pid = Number(Deno.readTextFileSync(pidFile));
  for (let i = 0; i < 100; i++) {
    try {
      const state = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1]![0];
      if (state === "Z") return true;
    } catch {
      return true;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

testRequiring(["posix"], "a program gets its input, a clean environment, and gives its output", async () => {
  const result = await runProgram(sh('cat; env | sort | cut -d= -f1 | tr "\\n" " "', {
    stdin: streamOf("a", "b\n"),
    env: { BACKOUT_OWN: "1" },
  }));
  assert.match(text(result.stdout), /^ab\nBACKOUT_OWN LANG /);
  assert.doesNotMatch(text(result.stdout), /DENO|HOME/);
});

testRequiring(["posix"], "a missing program is named with its package", async () => {
  await assert.rejects(
    runProgram({ program: "no-such-program-x", args: [], package: "some-package", context }),
    (error: ProgramError) =>
      error.end === "missing" && /no-such-program-x/.test(error.message) && /some-package/.test(error.hint!),
  );
});

testRequiring(["posix"], "a failure says the last lines without the secrets", async () => {
  await assert.rejects(
    runProgram(sh('echo "no login for hunter 2 at x%hunter%202" >&2; exit 3', { secrets: ["hunter 2"] })),
    (error: ProgramError) => error.exitCode === 3 && error.stderr === "no login for *** at x%***",
  );
});

testRequiring(
  ["posix"],
  "a program that ignores its input is no failure; a source that fails is one",
  async () => {
    const big = new Uint8Array(4 << 20);
    assert.equal((await runProgram(sh("exit 0", { stdin: big }))).exitCode, 0);
    const broken = new ReadableStream<Uint8Array>({
      pull: (it) => it.error(new Error("the pack is damaged")),
    });
    await assert.rejects(
      runProgram(sh("cat >/dev/null; sleep 30", { stdin: broken })),
      /the pack is damaged/,
    );
  },
);

testRequiring(["posix"], "time limit and signal end the whole group", async () => {
  await withTempDir(async (folder) => {
    const script = `sleep 60 & echo $! > ${folder}/pid; wait`;
    await assert.rejects(
      runProgram(sh(script, { timeoutMs: 400 })),
      (error: ProgramError) => error.end === "timed_out",
    );
    assert.ok(await gone(`${folder}/pid`));
    const stop = new AbortController();
    const run = runProgram(sh(script, { context: { env, signal: stop.signal } }));
    setTimeout(() => stop.abort("SIGINT"), 300);
    await assert.rejects(run, { name: "InterruptedError" });
    assert.ok(await gone(`${folder}/pid`));
  });
});

testRequiring(["posix"], "a stream fails when its program fails after the last byte", async () => {
  const good = await new Response(streamProgram(sh("head -c 3000000 /dev/zero"))).arrayBuffer();
  assert.equal(good.byteLength, 3_000_000);
  await assert.rejects(
    new Response(streamProgram(sh("head -c 300000 /dev/zero; echo broken >&2; exit 1"))).arrayBuffer(),
    /failed with exit code 1: broken/,
  );
  const cut = streamProgram(sh("cat /dev/zero")).getReader();
  assert.ok((await cut.read()).value!.length > 0);
  await cut.cancel();
});

testRequiring(["posix"], "too much output ends the program", async () => {
  await assert.rejects(
    runProgram({ ...sh("cat /dev/zero"), maxOutput: 100_000 }),
    (error: ProgramError) => error.end === "too_much_output",
  );
});
