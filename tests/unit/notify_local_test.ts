/** Targets on this machine: a file that collects events, a program that reads them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setFaultHook } from "#/core/posix.ts";
import { notify } from "#/notify/notify.ts";
import type { CommandTarget } from "#/notify/target.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import { eventOf, testTools } from "./notify_support.ts";

const event = eventOf();

async function warningsOf(
  target: CommandTarget | { readonly file: string },
  cwd?: string,
): Promise<readonly string[]> {
  const settings = { targets: [target], spool: undefined, ...(cwd === undefined ? {} : { cwd }) };
  return (await notify(settings, [event], testTools())).warnings;
}

testRequiring(["posix"], "events are appended to a file of this user's own, one per line", async () => {
  await withTempDir(async (folder) => {
    const file = join(folder, "log", "events.jsonl");
    assert.deepEqual(await warningsOf({ file }), []);
    assert.deepEqual(await warningsOf({ file }), []);
    assert.equal(Deno.readTextFileSync(file), `${event.body}\n`.repeat(2));
    assert.equal(Deno.statSync(file).mode! & 0o777, 0o600);
  });
});

Deno.test("a line that was cut off does not take the next one with it", async () => {
  await withTempDir(async (folder) => {
    const file = join(folder, "events.jsonl");
    Deno.writeTextFileSync(file, '{"cut":');
    assert.deepEqual(await warningsOf({ file }), []);
    assert.equal(Deno.readTextFileSync(file), `{"cut":\n${event.body}\n`);
  });
});

testRequiring(["posix"], "a pipe, a folder and a full disk are warnings, and hold nobody up", async () => {
  await withTempDir(async (folder) => {
    const pipe = join(folder, "pipe");
    assert.ok(new Deno.Command("mkfifo", { args: [pipe] }).outputSync().success);
    assert.match((await warningsOf({ file: pipe })).join(), /not a file/);
    assert.match((await warningsOf({ file: folder })).join(), /not a file/);
    setFaultHook((call) => {
      if (call === "write") throw Object.assign(new Error("no space"), { code: "ENOSPC" });
    });
    try {
      assert.match((await warningsOf({ file: join(folder, "events.jsonl") })).join(), /the disk is full/);
    } finally {
      setFaultHook(undefined);
    }
  });
});

testRequiring(["posix"], "a program reads the event, and learns nothing else", async () => {
  await withTempDir(async (folder) => {
    const script = "cat >event; env | sort >env";
    assert.deepEqual(await warningsOf({ command: ["sh", "-c", script] }, folder), []);
    assert.equal(Deno.readTextFileSync(join(folder, "event")), `${event.body}\n`);
    const told = Deno.readTextFileSync(join(folder, "env"));
    const names = told.split("\n").map((line) => line.split("=")[0]).filter((name) =>
      name !== "" && name !== "PWD"
    );
    assert.deepEqual(names.filter((name) => !["SHLVL", "_", "OLDPWD"].includes(name!)), [
      "BACKOUT_EVENT_ID",
      "BACKOUT_EVENT_TYPE",
      "LANG",
      "PATH",
    ]);
    assert.ok(told.includes(`BACKOUT_EVENT_TYPE=${event.type}\n`));
  });
});

testRequiring(["posix"], "a program that fails or hangs is a warning with its last words", async () => {
  const failing = await warningsOf({ command: ["sh", "-c", "echo; echo no route >&2; exit 7"] });
  assert.deepEqual(failing, ["Could not notify the command sh: it failed with exit code 7: no route"]);
  const hanging = await warningsOf({ command: ["sh", "-c", "trap '' TERM; sleep 600"], timeout_ms: 100 });
  assert.match(
    hanging.join(),
    /^Could not notify the command sh: it did not end within 0\.\d+ s and was killed$/,
  );
});
