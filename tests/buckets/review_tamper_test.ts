/** What others changed behind backout's back: backups with other bytes, an index that is none, folders within folders. */
import assert from "node:assert/strict";
import { BUCKET_WORLDS, type BucketWorld, type WorldRepository } from "../support/bucket_world.ts";
import { testRequiring } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";

const REASON = ["--reason", "test"] as const;

for (const kind of BUCKET_WORLDS) {
  testRequiring(kind.needs, `what others changed on ${kind.name}`, async (t) => {
    await using world = await kind.start();
    for (const [name, body] of Object.entries(CASES)) {
      await t.step(name, () => withTempDir((cwd) => body(world.repository(cwd), world)));
    }
  });
}

const CASES: Readonly<Record<string, (repository: WorldRepository, world: BucketWorld) => Promise<void>>> = {
  "a backup with other bytes and the old notes is not restored": async (repository) => {
    const { json, publish, listed, list, read, raw, prefix } = repository;
    await publish("v1");
    await publish("v2");
    const { backup } = await json(0, "release", "rollback", "v2", ...REASON);
    assert.equal(backup[0].integrity, "sha256");
    const key = `${prefix}/.rollback-backups/${backup[0].id}/v2/app.txt`;
    const notes = await raw.attributes(key);
    assert.match(notes.metadata?.["backout-sha256"] ?? "", /^[0-9a-f]{64}$/);
    const good = await raw.read(key);
    await raw.write(key, "APP v2\n", notes);
    const { error } = await json(45, "release", "restore", "v2");
    assert.match(error.message, /app\.txt: its bytes do not match their checksum/);
    assert.deepEqual(await listed(), ["v1"]);
    assert.deepEqual((await list()).filter((name) => name.startsWith("v2/")), []);
    await raw.write(key, good!, { ...notes, cacheControl: "no-cache" });
    await json(0, "release", "restore", "v2");
    assert.equal(await read("v2/app.txt"), "app v2\n");
  },

  "a backup of artifacts that nobody had a digest of is restored as it is": async (repository) => {
    const { json, publish, read, remove, state } = repository;
    await publish("v1");
    await publish("v2");
    await remove(".backout/content-tags/v2.json");
    const { backup } = await json(0, "release", "rollback", "v2", ...REASON);
    assert.equal(backup[0].integrity, "etag");
    await json(0, "release", "restore", "v2");
    assert.equal(await state("v2"), "active");
    assert.equal(await read("v2/app.txt"), "app v2\n");
  },

  "noted content tags that lie make no restore of other bytes": async (repository) => {
    const { json, publish, read, write, listed } = repository;
    await publish("v1");
    await publish("v2");
    const tags = JSON.parse(await read(".backout/content-tags/v2.json") ?? "");
    await write("v2/app.txt", "bad v2\n");
    const stale = await json(0, "release", "rollback", "v2", ...REASON);
    assert.equal(stale.backup[0].integrity, "etag");
    assert.ok(stale.warnings.some((it: string) => /written anew since the publication/.test(it)));
    assert.ok(Object.keys(tags.tags).includes("v2/app.txt"));
    assert.deepEqual(await listed(), ["v1"]);
  },

  "an index that is far too large is told as such": async (repository) => {
    const { json, publish, raw, prefix } = repository;
    await publish("v1");
    await raw.write(`${prefix}/index.json`, new Uint8Array(65 * 1024 * 1024));
    for (const command of [["release", "list"], ["release", "rollback", "v1", ...REASON]]) {
      const { error } = await json(44, ...command);
      assert.match(error.message, /index\.json: it is 65 MiB large and the limit is 64 MiB/);
    }
  },

  "an operation without a journal is named in good English": async (repository) => {
    const { cli, publish, write } = repository;
    await publish("v1");
    await write(".backout/operations/01a1fc50-4ab0-7317-b854-56b59bdace2a/scratch/index.new.json", "{}");
    assert.match((await cli("release", "list")).stderr, /^The operation without a journal was interrupted/m);
  },

  "backout's own folders are no place for another repository": async (repository) => {
    const { run, cwd, scheme, bucketName, prefix, source } = repository;
    for (const folder of [".rollback-backups", ".backout/operations", ".backout-scratch/x"]) {
      const location = `${scheme}://${bucketName}/${prefix}/${folder}`;
      const { code, stderr } = await run(["release", "publish", "v1", source("v1"), "-r", location], { cwd });
      assert.equal(code, 2, stderr);
      assert.match(stderr, /a folder of backout's own/);
    }
  },

  "repositories one in the other, and side by side, leave each other alone": async (repository, world) => {
    const { cwd, prefix } = repository;
    const inner = world.repository(cwd, { prefix: `${prefix}/team` });
    const beside = world.repository(cwd, { prefix: `${prefix}/teamster` });
    const all = [repository, inner, beside];
    for (const it of all) {
      await it.publish("v1");
      await it.publish("v2");
    }
    const before = await inner.list();
    await repository.publish("team");
    await repository.json(0, "release", "rollback", "team", ...REASON);
    await repository.json(0, "release", "rollback", "v2", "--no-backup", ...REASON);
    const index = JSON.parse(await repository.read("index.json") ?? "");
    assert.equal(index.releases.length, 1);
    assert.deepEqual(await inner.list(), before);
    for (const it of all) assert.deepEqual((await it.json(0, "release", "verify")).problems, []);
    assert.deepEqual(await beside.json(0, "backup", "list"), []);
  },
};
