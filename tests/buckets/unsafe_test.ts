/** A server that ignores the conditions of writes: nothing is written there unless the user says so. */
import assert from "node:assert/strict";
import type { Document } from "../support/repository.ts";
import { type BucketWorld, s3World, type WorldRepository } from "../support/bucket_world.ts";
import { testRequiring } from "../support/require.ts";
import { startS3rver } from "../support/servers/s3rver.ts";
import { writeTarsRepository } from "../support/tars.ts";
import { withTempDir } from "../support/temp.ts";

const ALLOW = "--allow-unsafe-storage";
const REASON = ["--reason", "test"] as const;

testRequiring(["s3rver"], "a server that ignores the conditions of writes", async (t) => {
  await using world = await s3World(await startS3rver(), ["plain"]);
  for (const [name, body] of Object.entries(CASES)) {
    await t.step(name, () => withTempDir((cwd) => body(world.repository(cwd), world)));
  }
});

const CASES: Readonly<Record<string, (repository: WorldRepository, world: BucketWorld) => Promise<void>>> = {
  "a publish is refused, and leaves nothing but the lock": async ({ json, source, list }) => {
    const { error } = await json(52, "release", "publish", "v1", source("v1"));
    assertRefusal(error);
    assert.deepEqual((await list()).filter((key) => key !== ".backout/lock"), []);
  },

  "every writing command is refused, and changes nothing": async (repository) => {
    const { json, publish, source, list, read } = repository;
    await publish("v1", ALLOW, "--channel", "stable");
    await publish("v2", ALLOW, "--channel", "stable");
    await json(0, "release", "rollback", "v2", ALLOW, ...REASON);
    const before = (await list()).filter((key) => key !== ".backout/lock");
    const index = await read("index.json");
    const commands: readonly (readonly string[])[] = [
      ["release", "publish", "v3", source("v3")],
      ["release", "rollback", "v1", ...REASON],
      ["release", "rollback", "--to", "v1", "--yes", ...REASON],
      ["release", "restore", "v2"],
      ["release", "yank", "v1", ...REASON],
      ["release", "unyank", "v1", ...REASON],
      ["release", "mark", "v1", "good", ...REASON],
      ["channel", "set", "beta", "v1"],
      ["channel", "rollback", "stable"],
      ["backup", "pin", "v2", ...REASON],
      ["backup", "unpin", "v2"],
      ["backup", "delete", "v2", "--yes"],
      ["recover"],
    ];
    for (const command of commands) {
      const result = await repository.cli(...command, "--json");
      const said = `${command.join(" ")}: ${result.code} ${result.stdout}${result.stderr}`;
      assert.equal(result.code, 52, said);
      assertRefusal(JSON.parse(result.stdout).error, said);
      assert.deepEqual((await list()).filter((key) => key !== ".backout/lock"), before, said);
      assert.equal(await read("index.json"), index, said);
    }
  },

  "reading needs no permission": async (repository) => {
    const { json, cwd, raw, prefix } = repository;
    writeTarsRepository(`${cwd}/tars`);
    for (const key of ["index.json", "v1.0.2/README.md", "v1.0.2/bin/app", "v1.0.2/checksums.txt"]) {
      await raw.write(`${prefix}/${key}`, Deno.readFileSync(`${cwd}/tars/${key}`));
    }
    assert.equal((await json(0, "release", "list")).releases.length, 3);
    await json(0, "release", "show", "v1.0.2");
    await json(0, "release", "rollback", "v1.0.2", "--dry-run", ...REASON);
    await json(0, "status");
    assert.deepEqual((await json(0, "audit", "verify")).problems, []);
  },

  "with the flag it works, and each report says what that means": async (repository) => {
    const { json, publish, read, state } = repository;
    for (const version of ["v1", "v2"]) assertWarned(await publish(version, ALLOW, "--channel", "stable"));
    const report = await json(0, "release", "rollback", "v2", ALLOW, ...REASON);
    assertWarned(report);
    assert.equal(await state("v2"), "removed");
    assertWarned(await json(0, "release", "restore", "v2", ALLOW));
    assert.equal(await read("v2/app.txt"), "app v2\n");
    const shown = await json(0, "history", "show", report.rollback_id);
    assert.match(shown.warnings.join("\n"), /conditions of writes/, "the history does not say it");
    assert.deepEqual((await json(0, "audit", "verify")).problems, []);
  },

  "the configuration may allow it": async ({ json, source, cwd, cli }) => {
    const text = "version: 1\nstorage: {allow_unsafe: true}\n";
    Deno.writeTextFileSync(`${cwd}/backout.yaml`, text);
    assertWarned(await json(0, "release", "publish", "v1", source("v1")));
    assert.equal((await cli("doctor")).code, 0);
  },

  "doctor calls it a problem, and with the flag a warning": async ({ json, publish, list }) => {
    await publish("v1", ALLOW);
    const before = await list();
    assert.equal(preconditions(await json(54, "doctor")).outcome, "problem");
    const allowed = preconditions(await json(0, "doctor", ALLOW));
    assert.equal(allowed.outcome, "warning");
    assert.match(allowed.hint, /--allow-unsafe-storage/);
    assert.deepEqual(await list(), before, "the probe left something");
  },
};

function assertRefusal(error: Document, said?: string): void {
  assert.equal(error.code, 52, said);
  assert.match(error.message, /conditions of writes/, said);
  assert.match(error.hint, /--allow-unsafe-storage/, said);
}

function assertWarned(report: Document): void {
  assert.match(report.warnings.join("\n"), /conditions of writes/);
}

function preconditions(doctor: Document): Document {
  return doctor.checks.find((check: { id: string }) => check.id === "preconditions");
}
