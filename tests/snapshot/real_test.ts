/** The engine on real targets: a tree of files, a git checkout, a SQLite database. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { RollbackBackupError } from "#/core/errors.ts";
import { driver as database } from "#/target/database.ts";
import type { TargetDriver } from "#/target/target.ts";
import { createSnapshot, diffSnapshots, showSnapshot, type WorkspaceOptions } from "#/snapshot/mod.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import { CRASH_WORLDS } from "./crash_worlds.ts";
import { journals, restoring, taken } from "./world.ts";

const world = CRASH_WORLDS.real!;

function begin(folder: string): WorkspaceOptions {
  world.setUp(folder);
  return world.open(folder);
}

testRequiring(
  ["posix", "git"],
  "three real targets go back, and forth again by the safety snapshot",
  () =>
    withTempDir(async (folder) => {
      const options = begin(folder);
      const before = world.look(folder);
      const id = await taken(options);
      world.change(folder);
      const changed = world.look(folder);
      const differences = await diffSnapshots({ ...options, from: id });
      assert.deepEqual(differences.map(({ target, changes }) => [target, changes.length > 0]), [
        ["files", true],
        ["repo", true],
        ["db", true],
      ]);
      const dry = await restoring(options, id, { dryRun: true });
      assert.equal(dry.exit_code, 0, dry.summary);
      assert.deepEqual(world.look(folder), changed);
      const report = await restoring(options, id);
      assert.equal(report.exit_code, 0, report.summary);
      assert.deepEqual(
        report.steps.map(({ description }) => description),
        dry.steps.map((it) => it.description),
      );
      assert.equal(report.verification.every(({ passed }) => passed), true);
      assert.deepEqual(world.look(folder), before);
      assert.match((await restoring(options, id)).summary, /Nothing to restore/);
      const back = await restoring(options, report.snapshot!.safety_id!);
      assert.equal(back.exit_code, 0, back.summary);
      assert.deepEqual(world.look(folder), changed);
    }),
);

testRequiring(
  ["posix", "git"],
  "the third target fails: the files and the checkout are taken back",
  () =>
    withTempDir(async (folder) => {
      const options = begin(folder);
      const id = await taken(options);
      world.change(folder);
      const changed = world.look(folder);
      const { targets } = await showSnapshot({ ...options, snapshot: id });
      const wanted = targets.find(({ name }) => name === "db")?.fingerprint;
      const full: TargetDriver = {
        ...database as unknown as TargetDriver,
        restore: (spec, saved, context) => {
          if (saved.fingerprint !== wanted) return database.restore(spec as never, saved, context);
          return Promise.reject(new RollbackBackupError("Cannot write the database: the disk is full"));
        },
      };
      const report = await restoring({ ...options, drivers: { database: full } }, id);
      assert.equal(report.exit_code, 43, report.summary);
      assert.match(report.summary, /db: Cannot write the database/);
      assert.deepEqual(world.look(folder), changed);
      assert.deepEqual(
        report.snapshot?.targets.map(({ name, status }) => `${name} ${status}`),
        ["files taken_back", "repo taken_back", "db taken_back"],
      );
      assert.deepEqual(journals(folder), []);
    }),
);

testRequiring(["posix", "git"], "single paths, and a copy elsewhere", () =>
  withTempDir(async (folder) => {
    const options = begin(folder);
    const id = await taken(options);
    world.change(folder);
    const one = join(folder, "files/f0");
    const report = await restoring(options, id, { paths: [one] });
    assert.equal(report.exit_code, 0, report.summary);
    assert.equal(Deno.readTextFileSync(one), "file 0");
    assert.equal(Deno.readTextFileSync(join(folder, "files/new")), "came later");
    assert.equal(Deno.readTextFileSync(join(folder, "repo/a.txt")), "a v2");
    const to = join(folder, "elsewhere");
    const put = await restoring(options, id, { to });
    assert.equal(put.exit_code, 0, put.summary);
    assert.deepEqual([...Deno.readDirSync(to)].map(({ name }) => name).sort(), ["db", "files", "repo"]);
    assert.equal(Deno.readTextFileSync(join(folder, "files/new")), "came later");
  }));

testRequiring(
  ["posix", "git"],
  "an unchanged second snapshot stores next to nothing",
  () =>
    withTempDir(async (folder) => {
      const options = begin(folder);
      const first = await showSnapshot({ ...options, snapshot: await taken(options) });
      const again = await createSnapshot(options);
      assert.equal(again.exit_code, 0, again.summary);
      const second = await showSnapshot({ ...options, snapshot: again.version });
      for (const [index, saved] of second.targets.entries()) {
        assert.equal(saved.fingerprint, first.targets[index]?.fingerprint, saved.name);
      }
      assert.deepEqual(second.targets.map(({ name }) => name), ["files", "repo", "db"]);
    }),
);
