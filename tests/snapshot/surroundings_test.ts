/** Hooks around a restore, checks after it, and the recovery at boot. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { CheckSpec } from "#/verify/check.ts";
import { createSnapshot, recoverWorkspace } from "#/snapshot/mod.ts";
import type { Surroundings } from "#/repository/options.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import { changeAll, journals, look, makeWorld, pathOf, restoring, taken, versions } from "./world.ts";

function exists(path: string, required = true): CheckSpec {
  return { type: "file_exists", name: `there is ${path}`, required, config: { path } };
}

Deno.test("a failed required check is 51; with rollbackOnFailure it is 43 and all is as before", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    const id = await taken(options);
    changeAll(folder, "v2");
    const checks = [exists(pathOf(folder, "one")), exists(join(folder, "missing"))];
    const back = await restoring(options, id, { checks, rollbackOnFailure: true });
    assert.equal(back.exit_code, 43, back.summary);
    assert.match(back.summary, /did not pass its checks .*missing/);
    assert.deepEqual(look(folder), versions("v2"));
    assert.deepEqual(back.snapshot?.checks.map(({ passed }) => passed), [true, false]);
    assert.deepEqual(journals(folder), []);

    const stays = await restoring(options, id, { checks });
    assert.equal(stays.exit_code, 51, stays.summary);
    assert.equal(stays.status, "partial");
    assert.deepEqual(look(folder), versions("v1"));
    assert.match(stays.undo ?? "", /snapshot restore rb-/);
    assert.deepEqual(journals(folder), []);
  }));

Deno.test("an advisory check is said and changes nothing", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    const id = await taken(options);
    changeAll(folder, "v2");
    const checks = [exists(join(folder, "missing"), false)];
    const report = await restoring(options, id, { checks, rollbackOnFailure: true });
    assert.equal(report.exit_code, 0, report.summary);
    assert.deepEqual(look(folder), versions("v1"));
    assert.ok(report.warnings.some((it) => it.includes("missing")), report.warnings.join());
  }));

function around(folder: string, notes: string): Surroundings {
  const note = (word: string) => ({ command: ["sh", "-c", `echo ${word} >> ${notes}`] });
  return {
    hooks: { snapshot_restore: { before: [note("stop")], after: [note("start")] } },
    notify: [],
    folder: join(folder, "ws"),
    offline: true,
    env: (name) => Deno.env.get(name),
  };
}

testRequiring(
  ["posix"],
  "hooks stop and start around a restore, and around its way back",
  () =>
    withTempDir(async (folder) => {
      const notes = join(folder, "notes");
      const options = { ...makeWorld(folder), around: around(folder, notes) };
      const id = await taken(options);
      changeAll(folder, "v2");
      const said = () => Deno.readTextFileSync(notes).trim().split("\n");
      await restoring(options, id, { checks: [exists(join(folder, "missing"))], rollbackOnFailure: true });
      assert.deepEqual(said(), ["stop", "start", "stop", "start"]);
      assert.deepEqual(look(folder), versions("v2"));
      Deno.removeSync(notes);
      // A check may look at what the hook after it starts.
      const checked = await restoring(options, id, { checks: [exists(notes)] });
      assert.equal(checked.exit_code, 0, checked.summary);
      assert.deepEqual(said(), ["stop", "start"]);
    }),
);

testRequiring(
  ["posix"],
  "a hook that refuses leaves everything alone, and what was stopped is started again",
  () =>
    withTempDir(async (folder) => {
      const notes = join(folder, "notes");
      const given = around(folder, notes);
      const { before = [], after = [] } = given.hooks.snapshot_restore!;
      const hooks = { snapshot_restore: { before: [...before, { command: ["false"] }], after } };
      const options = { ...makeWorld(folder), around: { ...given, hooks } };
      const id = await taken(options);
      changeAll(folder, "v2");
      const report = await restoring(options, id);
      assert.equal(report.exit_code, 41, report.summary);
      assert.deepEqual(look(folder), versions("v2"));
      assert.equal(Deno.readTextFileSync(notes), "stop\nstart\n");
      assert.deepEqual(journals(folder), []);
    }),
);

testRequiring(
  ["posix"],
  "a restore that died after its first hooks is followed by those after it",
  () =>
    withTempDir(async (folder) => {
      const notes = join(folder, "notes");
      const options = { ...makeWorld(folder), around: around(folder, notes) };
      const id = await taken(options);
      changeAll(folder, "v2");
      await restoring(options, id, { confirmWithinMs: 60_000 });
      const [operation] = journals(folder);
      const journal = join(folder, "ws/.backout/target-operations", operation!, "journal.jsonl");
      const lines = Deno.readTextFileSync(journal).trimEnd().split("\n");
      // What a crash before the last record leaves.
      Deno.writeTextFileSync(journal, `${lines.slice(0, -1).join("\n")}\n`);
      Deno.removeSync(notes);
      const { recovered } = await recoverWorkspace(options);
      assert.equal(recovered[0]?.direction, "back");
      assert.equal(Deno.readTextFileSync(notes), "start\n");
      assert.deepEqual(look(folder), versions("v2"));
    }),
);

Deno.test("a rule denies: nothing is touched", () =>
  withTempDir(async (folder) => {
    const options = makeWorld(folder);
    const id = await taken(options);
    changeAll(folder, "v2");
    const policy = {
      custom: [{
        id: "no-restores",
        when: 'operation.kind == "snapshot_restore"',
        message: "no restores today",
        operations: ["snapshot_restore" as const],
      }],
    };
    const report = await restoring({ ...options, policy }, id);
    assert.equal(report.exit_code, 41, report.summary);
    assert.match(report.summary, /no restores today/);
    assert.deepEqual(look(folder), versions("v2"));
    const forced = await restoring({ ...options, policy, force: true, reason: "night" }, id);
    assert.equal(forced.exit_code, 0, forced.summary);
    assert.equal((await createSnapshot({ ...options, policy })).exit_code, 0);
  }));

Deno.test("the unit that recovers at boot runs recover, once, before anything waits for it in vain", () => {
  const text = Deno.readTextFileSync(
    new URL("../../scripts/systemd/backout-recover.service", import.meta.url),
  );
  const keys = new Map(
    text.split("\n").filter((line) => /^[A-Z]/.test(line)).map((line) => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  assert.equal(keys.get("Type"), "oneshot");
  assert.match(keys.get("ExecStart") ?? "", /^\/\S*backout recover( |$)/);
  assert.match(keys.get("Environment") ?? "", /^BACKOUT_CONFIG=\//);
  assert.equal(keys.get("WantedBy"), "multi-user.target");
  assert.equal(keys.get("RestartPreventExitStatus"), "2 53 54");
  const sections = [...text.matchAll(/^\[(\w+)\]$/gm)].map(([, name]) => name);
  assert.deepEqual(sections, ["Unit", "Service", "Install"]);
});
