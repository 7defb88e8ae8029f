/** What only a real process shows: signals, closed pipes, a terminal, the permissions. */
import assert from "node:assert/strict";
import { VERSION } from "#/core/version.ts";
import { quoteCommand } from "#/command/shell_quote.ts";
import { binary, programCommand, programWords, runProgram } from "../support/cli.ts";
import { testRepository } from "../support/repository.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";

Deno.test("process: --version as the first word ignores all others", async () => {
  const result = await runProgram(["--version", "--frobnicate"]);
  assert.deepEqual(result, { code: 0, stdout: `${VERSION}\n`, stderr: "" });
});

Deno.test("process: wrong usage exits with 2 and writes to standard error", async () => {
  const result = await runProgram(["relase"]);
  assert.equal(result.code, 2);
  assert.equal(result.stdout, "");
  assert.match(result.stderr, /^Error: "relase" is not a command\n/);
});

Deno.test("process: a reader that goes away is no error", async () => {
  const child = programCommand(["completions", "fish"]).spawn();
  await child.stdout.cancel();
  const { code, stderr } = await child.output();
  assert.equal(new TextDecoder().decode(stderr), "");
  assert.equal(code, 0);
});

Deno.test("process: a configuration that is wrong is reported with file and line", async () => {
  await withTempDir(async (cwd) => {
    Deno.writeTextFileSync(`${cwd}/backout.yaml`, "version: 1\nrepositry: /srv\n");
    const result = await runProgram(["status"], { cwd });
    assert.equal(result.code, 2);
    assert.match(result.stderr, /backout\.yaml/);
    assert.match(result.stderr, /2:1/);
    assert.match(result.stderr, /repositry/);
  });
});

sourceTest("process: the network is given up unless a location needs it", async () => {
  await withTempDir(async (cwd) => {
    // A permission that was given up asks, and --no-prompt makes asking a refusal.
    Deno.writeTextFileSync(`${cwd}/plain.yaml`, "version: 1\n# see https://example.org\n");
    Deno.writeTextFileSync(`${cwd}/bucket.yaml`, "version: 1\nrepository: s3://bucket/prefix\n");
    const networkAfter = (args: readonly string[]) => permissionAfter("net", cwd, args);
    assert.equal(await networkAfter(["version"]), "prompt");
    assert.equal(await networkAfter(["version", "--config", "plain.yaml"]), "prompt");
    assert.equal(await networkAfter(["version", "--config", "bucket.yaml"]), "granted");
    assert.equal(await networkAfter(["version", "--config", "bucket.yaml", "--offline"]), "prompt");
  });
});

sourceTest("process: the right to run programs is given up unless the configuration names one", async () => {
  await withTempDir(async (cwd) => {
    Deno.writeTextFileSync(`${cwd}/plain.yaml`, "version: 1\n# hooks: {}\n");
    Deno.writeTextFileSync(`${cwd}/hooks.yaml`, "version: 1\nhooks: {rollback: {before: [[a]]}}\n");
    Deno.writeTextFileSync(`${cwd}/command.yaml`, "version: 1\nnotify: [{command: [tell]}]\n");
    const programsAfter = (args: readonly string[]) => permissionAfter("run", cwd, args);
    assert.equal(await programsAfter(["version"]), "prompt");
    assert.equal(await programsAfter(["version", "--config", "plain.yaml"]), "prompt");
    assert.equal(await programsAfter(["version", "--config", "hooks.yaml"]), "granted");
    assert.equal(await programsAfter(["version", "--config", "command.yaml"]), "granted");
  });
});

/** A test that looks into the program, which only works from source. */
function sourceTest(name: string, fn: () => Promise<void>): void {
  const ignore = binary !== undefined;
  Deno.test({ name: ignore ? `${name} [from source only]` : name, ignore, fn });
}

/** The state of a permission when the program ends. */
async function permissionAfter(name: "net" | "run", cwd: string, args: readonly string[]): Promise<string> {
  const probe = `${cwd}/probe.ts`;
  const say = `console.error(Deno.permissions.querySync({ name: "${name}" }).state)`;
  Deno.writeTextFileSync(probe, `globalThis.addEventListener("unload", () => ${say});\n`);
  const { code, stderr } = await runProgram(args, { cwd, preload: probe });
  assert.equal(code, 0, stderr);
  return stderr.trim();
}

sourceTest("process: who waits for the lock can be stopped", async () => {
  await withTempDir(async (cwd) => {
    const { publish, path, state } = testRepository(cwd);
    await publish("v1.0.0");
    await publish("v1.0.1");
    const holder = programCommand(["release", "rollback", "v1.0.1", "-r", path], {
      cwd,
      preload: new URL("../support/faulty_main.ts", import.meta.url).href,
      env: { BACKOUT_FAULT: `pause:8:${cwd}/paused` },
    }).spawn();
    await until(() => exists(`${cwd}/paused`));
    assert.ok(exists(`${path}/.backout/lock`), "the holder was paused before it had the lock");

    const events = `${cwd}/events.jsonl`;
    const args = [
      "release",
      "yank",
      "v1.0.0",
      "--reason",
      "x",
      "--lock-timeout",
      "10m",
      "--events",
      events,
      "-r",
      path,
    ];
    const waiter = programCommand(args, { cwd }).spawn();
    await until(() => exists(events) && Deno.readTextFileSync(events).includes("waiting_for_lock"));
    waiter.kill("SIGINT");
    const stopped = await waiter.output();
    const stderr = new TextDecoder().decode(stopped.stderr);
    assert.equal(stopped.code, 130, stderr);
    assert.match(stderr, /^stopping \(SIGINT\)…$/m);

    const short = [
      "release",
      "yank",
      "v1.0.0",
      "--reason",
      "x",
      "--lock-timeout",
      "10m",
      "--timeout",
      "100ms",
    ];
    const ranOut = await runProgram([...short, "--json", "-r", path], { cwd });
    assert.equal(ranOut.code, 43, ranOut.stderr);
    assert.match(JSON.parse(ranOut.stdout).error.message, /--timeout/);

    Deno.writeTextFileSync(`${cwd}/paused.go`, "");
    assert.equal((await holder.output()).code, 0);
    assert.equal(await state("v1.0.0"), "active");
    assert.equal(await state("v1.0.1"), "removed");
  });
});

/** Polls until something that another process does is there; the test's own time limit ends it otherwise. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

testRequiring(["pty"], "process: on a terminal nothing is asked for and colours are shown", async () => {
  await withTempDir(async (cwd) => {
    const { code, stdout } = await runOnTerminal(["relase"], cwd, { TERM: "xterm" });
    assert.equal(code, 2);
    assert.ok(stdout.includes("\u001b[31m"), stdout);
    const plain = await runOnTerminal(["relase"], cwd, { TERM: "xterm", NO_COLOR: "1" });
    assert.equal(
      plain.stdout,
      'Error: "relase" is not a command\r\n  Hint: Did you mean `backout release`?\r\n',
    );
  });
});

async function runOnTerminal(args: readonly string[], cwd: string, env: Record<string, string>) {
  const words = quoteCommand(programWords(args));
  const command = new Deno.Command("script", {
    args: ["-qec", words, "/dev/null"],
    cwd,
    env: { NO_COLOR: "", ...env },
    stdin: "null",
  });
  const { code, stdout } = await command.output();
  return { code, stdout: new TextDecoder().decode(stdout) };
}
