/** Buckets that keep versions: what a rollback without a backup deletes comes back from them. */
import assert from "node:assert/strict";
import { publishThree } from "../cli/release_scenarios.ts";
import { BUCKET_WORLDS, type BucketWorld, type WorldRepository } from "../support/bucket_world.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";

const REASON = ["--reason", "test"] as const;
const APP = "v1.0.2/app.txt";

for (const kind of BUCKET_WORLDS) {
  testRequiring(kind.needs, `a bucket with versions on ${kind.name}`, async (t) => {
    await using world = await kind.start();
    if (!await honoursConditions(world)) {
      await t.step("the server ignores conditions there, so it is not written to", () => isRefused(world));
      return;
    }
    for (const [name, body] of Object.entries(CASES)) {
      await t.step(name, () =>
        withTempDir(async (cwd) => {
          const repository = world.repository(cwd, { bucket: "versioned" });
          await publishThree(repository);
          await body(repository);
        }));
    }
  });
}

/** Older Cephs honour the conditions of writes only in buckets without versions. */
async function honoursConditions(world: BucketWorld): Promise<boolean> {
  const raw = world.raw("versioned");
  assert.equal(await raw.create("probe", "1"), true);
  const honours = !await raw.create("probe", "2");
  assert.ok(honours || world.scheme === "s3", "the test's own server forgot its conditions");
  return honours;
}

async function isRefused(world: BucketWorld): Promise<void> {
  await withTempDir(async (cwd) => {
    const { json, source, list } = world.repository(cwd, { bucket: "versioned" });
    const { error } = await json(52, "release", "publish", "v1", source("v1"));
    assert.match(error.message, /conditions of writes/);
    assert.match(error.hint, /--allow-unsafe-storage/);
    assert.deepEqual((await list()).filter((key) => key !== ".backout/lock"), []);
  });
}

const CASES: Readonly<Record<string, (repository: WorldRepository) => Promise<void>>> = {
  "the manifest names the version of each artifact": async ({ json, read }) => {
    await json(0, "release", "rollback", "v1.0.2", ...REASON);
    const { manifest } = await json(0, "backup", "show", "v1.0.2");
    assert.equal(manifest.stored, undefined, "the backup has copies");
    const ids = manifest.artifacts.map((file: { version_id: string }) => file.version_id);
    assert.equal(new Set(ids).size, 3);
    for (const id of ids) assert.notEqual(id ?? "", "");
    await json(0, "release", "restore", "v1.0.2");
    assert.equal(await read(APP), "app v1.0.2\n");
  },

  "a rollback without a backup is restored from the versions": async (repository) => {
    const { json, read, list, listed } = repository;
    const report = await json(0, "release", "rollback", "v1.0.2", "--no-backup", ...REASON);
    assert.equal(report.backup[0].stored, "versions");
    assert.match(report.summary, /keeps their versions/);
    assert.equal(await read(APP), undefined);
    const folder = `.rollback-backups/${report.backup[0].id}/`;
    const kept = (await list()).filter((key) => key.startsWith(folder));
    assert.deepEqual(kept, [`${folder}manifest.json`], "something was copied");

    const { manifest } = await json(0, "backup", "show", "v1.0.2");
    assert.equal(manifest.stored, "versions");
    for (const file of manifest.artifacts) assert.notEqual(file.version_id ?? "", "");
    const [verified] = await json(0, "backup", "verify", "--read-data");
    assert.deepEqual(verified.problems, []);
    assert.equal(verified.files_checked, 3);
    assert.ok(verified.bytes_checked > 0);
    const drill = await json(0, "backup", "drill", "v1.0.2");
    assert.equal(drill.restored, 3);
    assert.deepEqual(drill.problems, []);

    await json(0, "release", "restore", "v1.0.2", "--dry-run");
    await json(0, "release", "restore", "v1.0.2");
    assert.deepEqual(await listed(), ["v1.0.2", "v1.0.1", "v1.0.0"]);
    assert.equal(await read(APP), "app v1.0.2\n");
    assert.equal(await read("v1.0.2/docs/index.html"), "<p>v1.0.2\n");
    await json(0, "release", "verify");
    assert.deepEqual((await json(0, "audit", "verify")).problems, []);
  },

  "what the object was when it was rolled back comes back, not what is newest": async (repository) => {
    const { json, read, write, remove } = repository;
    const { backup } = await json(0, "release", "rollback", "v1.0.2", "--no-backup", ...REASON);
    await write(APP, "somebody else's\n"); // a newer version of the key
    await remove(APP);
    await json(0, "release", "restore", backup[0].id);
    assert.equal(await read(APP), "app v1.0.2\n");
  },

  "twice around": async ({ json, read, state }) => {
    for (const way of [["--no-backup"], [], ["--no-backup"]]) {
      await json(0, "release", "rollback", "v1.0.2", ...way, ...REASON);
      assert.equal(await state("v1.0.2"), "removed");
      await json(0, "release", "restore", "v1.0.2");
      assert.equal(await read(APP), "app v1.0.2\n");
    }
    await json(0, "release", "verify");
  },

  "single artifacts, and everything newer": async ({ json, read }) => {
    await json(0, "release", "rollback", "v1.0.2", "--artifact", "app.txt", "--no-backup", ...REASON);
    assert.equal(await read(APP), undefined);
    await json(0, "release", "restore", "v1.0.2");
    assert.equal(await read(APP), "app v1.0.2\n");
    const { rollback_id } = await json(
      ...[0, "release", "rollback", "--to", "v1.0.0", "--no-backup", "--yes", ...REASON] as const,
    );
    await json(0, "release", "restore", rollback_id);
    assert.equal(await read("v1.0.1/app.txt"), "app v1.0.1\n");
    assert.equal(await read(APP), "app v1.0.2\n");
    await json(0, "release", "verify");
  },

  "artifacts only": async ({ json, read, state }) => {
    await json(0, "release", "rollback", "v1.0.2", "--type", "artifacts_only", "--no-backup", ...REASON);
    assert.equal(await state("v1.0.2"), "emptied");
    assert.equal(await read(APP), undefined);
    await json(0, "release", "restore", "v1.0.2");
    assert.equal(await read(APP), "app v1.0.2\n");
  },

  "a version that is gone is named": async (repository) => {
    const { json, removeVersion, state } = repository;
    await json(0, "release", "rollback", "v1.0.2", "--no-backup", ...REASON);
    const { manifest } = await json(0, "backup", "show", "v1.0.2");
    const lost = manifest.artifacts.find((file: { path: string }) => file.path === APP);
    await removeVersion(APP, lost.version_id);
    const [verified] = await json(54, "backup", "verify");
    assert.deepEqual(verified.problems.map((it: { path: string }) => it.path), [APP]);
    await json(45, "release", "restore", "v1.0.2");
    assert.equal(await state("v1.0.2"), "removed");
  },
};
