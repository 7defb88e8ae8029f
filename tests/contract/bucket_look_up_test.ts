/** Looking at many objects: the same answers as one by one, with few requests. */
import assert from "node:assert/strict";
import { BucketStore } from "#/storage/bucket/store.ts";
import { CountingBucket, MemoryBucket, type MemoryOptions } from "../support/memory_bucket.ts";
import { bytesOf, movesInto, recordOf, sha256 } from "./object_store_support.ts";

function counted(options: MemoryOptions = {}) {
  const memory = new MemoryBucket(options);
  const bucket = new CountingBucket(memory);
  return { memory, bucket, store: new BucketStore(bucket, { jobs: 4 }) };
}

Deno.test("many keys at once are answered as each for itself, whatever else is there", async () => {
  const folders = [
    "",
    "v1/",
    "v1/bin/",
    "v2/",
    "v2/a/b/",
    ".rollback-backups/x/v1/",
    ".backout/releases/",
    "é/\u{1F600}/",
    "é/\uFFFD/",
  ];
  const names = ["a", "b.txt", "z", "a b", "~", "\u{1F600}", "\uFF5E"];
  const all = folders.flatMap((folder) => names.map((name) => folder + name));
  for (const pageSize of [1, 3, 1000]) {
    for (let round = 0; round < 20; round++) {
      const { memory, store } = counted({ pageSize });
      const isThere = (key: string, i: number) => (i * 7 + key.length + round * 13) % 20 >= round;
      for (const key of all.filter(isThere)) await memory.put(key, bytesOf(key));
      const asked = all.filter((_, i) => (i + round) % 3 !== 0).reverse();
      const found = await store.statMany([...asked, asked[0]!]);
      const expected = await Promise.all([...asked, asked[0]!].map((key) => memory.head(key)));
      assert.deepEqual(
        found.map((it) => it && [it.key, it.tag]),
        expected.map((it) => it && [it.key, it.tag]),
      );
    }
  }
});

Deno.test("a release is looked at by listing it, a few keys one by one", async () => {
  const { memory, bucket, store } = counted();
  const keys = Array.from({ length: 2500 }, (_, i) => `v1/part${i % 7}/${i}`);
  for (const key of keys) await memory.put(key, bytesOf("x"));
  assert.equal((await store.statMany(keys)).filter((it) => it !== undefined).length, 2500);
  assert.deepEqual([bucket.counts.head, bucket.counts.page], [0, 3]);
  await store.statMany(keys.slice(0, 8));
  assert.deepEqual([bucket.counts.head, bucket.counts.page], [8, 3]);
});

Deno.test("a listing that shows far more than was asked for is given up", async () => {
  const { memory, bucket, store } = counted();
  for (let i = 0; i < 20_000; i++) await memory.put(`v1/${String(i).padStart(5, "0")}`, bytesOf("x"));
  for (let i = 0; i < 50; i++) await memory.put(`v1/zz/${i}`, bytesOf("x"));
  const few = Array.from({ length: 12 }, (_, i) => `v1/${String(i * 1500).padStart(5, "0")}`);
  const deep = Array.from({ length: 50 }, (_, i) => `v1/zz/${i}`);
  assert.ok((await store.statMany([...few, ...deep, "v1/none"])).slice(0, -1).every((it) => it?.size === 1));
  assert.equal(bucket.counts.page, 9); // eight of v1, one of v1/zz
  assert.ok(bucket.counts.head <= few.length + 1, `${bucket.counts.head} were asked for one by one`);
});

Deno.test("version ids are only asked for where there are versions, and that is asked once", async () => {
  const { memory, bucket, store } = counted({ versioned: true });
  await memory.put("v1/a", bytesOf("old"));
  const old = (await store.stat("v1/a"))!;
  await memory.put("v1/a", bytesOf("newer"));
  const older = { key: "v1/a", versionId: old.versionId! };
  const stats = await store.statMany(["v1/a", older, { key: "v1/a", versionId: "none" }]);
  assert.deepEqual(stats.map((it) => it?.size), [5, 3, undefined]);
  assert.equal((await store.digest([older]))[0]?.sha256, sha256("old"));
  await store.statMany(["v1/a"]);
  assert.equal(await store.keepsVersions(), true);
  assert.equal(bucket.counts.versions, 1);
  await store.removeFiles(["v1/a"]);
  await store.addFiles("op", [{ record: recordOf("v1/a", "old"), source: older }]);
  assert.equal((await store.digest(["v1/a"]))[0]?.sha256, sha256("old"));
});

Deno.test("a recovery compares what it did not copy itself without reading what the service can tell", async () => {
  const { memory, bucket, store } = counted();
  const keys = Array.from({ length: 100 }, (_, i) => `v1/${i}`);
  for (const key of keys) await memory.put(key, bytesOf(key));
  const moves = await movesInto(store, "b", keys);
  await store.copyFiles(moves.map(({ from, to }) => ({ from, to, sha256: null })));
  const before = { ...bucket.counts };
  await new BucketStore(bucket, { jobs: 4 }).moveFiles(moves);
  const { head, open, get, remove } = bucket.counts;
  assert.deepEqual({ head, open, get, remove }, { ...pick(before), remove: before.remove + 1 });
});

function pick({ head, open, get }: { head: number; open: number; get: number }) {
  return { head, open, get };
}
