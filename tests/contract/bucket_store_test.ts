/** `BucketStore` over the real drivers: the port's promises, on every server. */
import assert from "node:assert/strict";
import { BucketStore } from "#/storage/bucket/store.ts";
import { mapLimited } from "#/storage/limit.ts";
import { CountingBucket } from "../support/memory_bucket.ts";
import { testRequiring } from "../support/require.ts";
import { tempDir } from "../support/temp.ts";
import { BUCKET_SERVERS, type BucketServer, freshOn, resilient } from "./bucket_servers.ts";
import { objectStoreCases } from "./object_store_suite.ts";
import { bytesOf, keysOf, movesInto, OPERATION, recordOf, sha256, textOf } from "./object_store_support.ts";

for (const kind of BUCKET_SERVERS) {
  testRequiring(kind.needs, `${kind.name} keeps the port's promises`, async (t) => {
    await using server = await kind.start();
    for (const { name, run } of objectStoreCases({ checksCopiedDigests: false })) {
      await t.step(name, () => run(() => freshOn(server)));
    }
    for (const [name, run] of Object.entries(BUCKET_CASES)) await t.step(name, () => run(server));
  });
}

const BUCKET_CASES: Readonly<Record<string, (server: BucketServer) => Promise<void>>> = {
  "1,200 objects are copied and moved with one copy each and a handful of other requests": async (server) => {
    const bucket = new CountingBucket(await server.open("plain", prefix()));
    const store = new BucketStore(resilient(bucket), { jobs: 16 });
    const keys = Array.from({ length: 1200 }, (_, i) => `v1/${i % 3 === 0 ? "bin/" : ""}file-${i}`);
    await mapLimited(keys, 16, (key) => bucket.put(key, bytesOf(key)));
    const moves = await movesInto(store, "b", keys);
    assert.ok(bucket.othersThan("put") < 10);
    for (const kind of Object.keys(bucket.counts)) Object.assign(bucket.counts, { [kind]: 0 });
    await store.copyFiles(moves.map(({ from, to }) => ({ from, to, sha256: sha256(from) })));
    assert.deepEqual(await store.moveFiles(moves), []);
    assert.equal(bucket.counts.copy, 1200);
    assert.equal(bucket.counts.remove, Math.ceil(1200 / bucket.removeBatch));
    const others = bucket.othersThan("copy", "remove");
    assert.ok(others < 30, `${others} other requests: ${JSON.stringify(bucket.counts)}`);
    assert.deepEqual(await keysOf(store, "v1"), []);
    assert.equal((await keysOf(store, ".rollback-backups/b/v1")).length, 1200);
    await store.removeTree(".rollback-backups/b");
    assert.deepEqual(await store.listNames(".rollback-backups"), []);
  },

  "an older version comes back, with its metadata": async (server) => {
    await using outside = tempDir();
    const bucket = await server.open("versioned", prefix());
    const store = new BucketStore(resilient(bucket), { jobs: 4 });
    assert.equal(await store.keepsVersions(), true);
    await Deno.writeTextFile(`${outside.path}/a`, "old");
    const record = recordOf("v1/a.txt", "old", 0o640);
    await store.addFiles(OPERATION, [{ record, source: { path: `${outside.path}/a` } }]);
    const { versionId } = (await store.stat("v1/a.txt"))!;
    assert.ok(versionId);
    const others = Array.from({ length: 9 }, (_, i) => `v1/other-${i}`);
    for (const key of others) await store.create(key, bytesOf(key));
    const stats = await store.statMany(["v1/a.txt", ...others]); // by a listing
    assert.equal(stats[0]?.versionId, versionId);
    await store.removeFiles(["v1/a.txt"]);
    assert.equal(await store.stat("v1/a.txt"), undefined);
    const older = { key: "v1/a.txt", versionId };
    assert.equal((await store.digest([older]))[0]?.sha256, record.sha256);
    await store.addFiles(OPERATION, [{ record, source: older }]);
    assert.equal(await textOf(store, "v1/a.txt"), "old");
    const { metadata } = (await bucket.head("v1/a.txt"))!;
    assert.deepEqual(metadata, { "backout-sha256": record.sha256, "backout-mode": "640" });
  },

  "keys of all kinds go there and back": async (server) => {
    const store = new BucketStore(resilient(await server.open("plain", prefix())), { jobs: 4 });
    const names = [
      "a b",
      "é",
      "\u{1F600}",
      "\uFF5E",
      "100%",
      "a+b",
      "a&b=c",
      "a#b?c",
      "~",
      "'\"<>",
      "x".repeat(200),
    ];
    const keys = names.map((name) => `v1/${name}/${name}.txt`);
    for (const key of keys) await store.create(key, bytesOf(key));
    assert.deepEqual([...await keysOf(store, "v1")].sort(), [...keys].sort());
    assert.ok((await store.statMany(keys)).every((it, i) => it?.key === keys[i]));
    const moves = await movesInto(store, "b", keys);
    assert.deepEqual(await store.moveFiles(moves), []);
    assert.deepEqual(await keysOf(store, "v1"), []);
    for (const { from, to } of moves) assert.equal(await textOf(store, to), from);
  },
};

/** A place of the test's own, so that one server serves all. */
function prefix(): string {
  return `test/${crypto.randomUUID()}`;
}
