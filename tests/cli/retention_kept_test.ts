/** What retention never deletes, whatever the rules say. */
import assert from "node:assert/strict";
import { rollbackRelease } from "#/mod.ts";
import type { RetainedBackup } from "#/repository/views.ts";
import { actions, done, threeRollbacks, withDated } from "../support/dated_repository.ts";

const APPLY = ["retention", "apply", "--yes"] as const;

Deno.test("retention: all backups of the newest rollback that was not undone stay", async () => {
  await withDated(async (repository) => {
    for (const version of ["v1.1.0", "v1.2.0", "v1.3.0"]) await repository.publish(version);
    await repository.json(0, "release", "rollback", "--to", "v0.9.0", "--yes");
    const later = await repository.publish("v1.4.0").then(() =>
      repository.json(0, "release", "rollback", "v1.4.0")
    );
    await repository.json(0, "release", "restore", "v1.4.0");
    const view = await repository.json(0, "retention", "plan", "--keep-last", "1");
    const reason = "the newest rollback that was not undone";
    assert.deepEqual(actions(view), {
      "v1.4.0": ["keep", "the newest of all", "the newest"],
      ...Object.fromEntries(["v1.3.0", "v1.2.0", "v1.1.0"].map((version) => [version, ["keep", reason]])),
    });
    assert.ok(later.backup_created);
  });
});

Deno.test("retention: backups that restore a version only together stay or go together", async () => {
  await withDated(async (repository) => {
    const { path } = repository;
    const part = await repository.rolledBack("v1.0.0", "2026-02-01T10:00:00Z", { artifacts: ["*/note.txt"] });
    const now = () => new Date("2026-05-01T00:00:00Z");
    done(await rollbackRelease({ repository: path, version: "v1.0.0", now }));
    const view = await repository.json(0, "retention", "plan", "--keep-last", "1");
    const older = view.backups.find(({ id }: RetainedBackup) => id === part);
    assert.equal(older.action, "keep");
    assert.match(older.reasons[0], /^restores v1\.0\.0 together with v1\.0\.0-20260501_/);
    await repository.rolledBack("v1.0.1", "2026-06-01T10:00:00Z");
    await repository.json(0, ...APPLY, "--keep-last", "1");
    assert.deepEqual(repository.backups().map((name) => name.slice(0, 6)), ["v1.0.1"]);
  });
});

Deno.test("retention: the last good release stays where none is published any more", async () => {
  await withDated(async (repository) => {
    await repository.rolledBack("v1.0.0", "2026-02-01T10:00:00Z");
    const now = () => new Date("2026-03-01T00:00:00Z");
    await repository.json(0, "release", "mark", "v0.9.0", "good", "--reason", "ran for a year");
    done(
      await rollbackRelease({ repository: repository.path, version: "v0.9.0", now, policyMode: "lenient" }),
    );
    await repository.rolledBack("v1.0.1", "2026-04-01T10:00:00Z");
    await repository.publish("v1.1.0");
    const good = await repository.json(0, "retention", "plan", "--keep-last", "1");
    assert.deepEqual(actions(good)["v0.9.0"], [
      "keep",
      "v0.9.0 was marked good, and none that is published is",
    ]);
    await repository.json(0, "release", "mark", "v1.1.0", "good", "--reason", "better");
    const better = await repository.json(0, "retention", "plan", "--keep-last", "1");
    assert.deepEqual(actions(better)["v0.9.0"], ["delete", "no rule keeps it"]);
  });
});

Deno.test("retention: a backup of T.A.R.S., a stray folder and a damaged manifest", async () => {
  await withDated(async (repository) => {
    const [old] = await threeRollbacks(repository);
    const folder = `${repository.path}/.rollback-backups`;
    Deno.writeTextFileSync(`${folder}/${old}/manifest.json`, "{");
    const tars = "v0.1.0-20250101_000000-abcd1234";
    for (const name of [tars, "somebody's"]) {
      Deno.mkdirSync(`${folder}/${name}`);
      Deno.writeTextFileSync(`${folder}/${name}/app.txt`, "12345");
    }
    const view = await repository.json(0, "retention", "plan", "--keep-last", "1");
    const byId = Object.fromEntries(view.backups.map((row: RetainedBackup) => [row.id, row]));
    assert.deepEqual([byId[tars].action, byId[tars].bytes], ["delete", 5]);
    assert.equal(byId[old!].action, "delete");
    assert.equal(byId["somebody's"]?.action ?? "keep", "keep");
    await repository.json(0, ...APPLY, "--keep-last", "1");
    assert.equal(repository.backups().filter((name) => name !== "somebody's").length, 1);
  });
});
