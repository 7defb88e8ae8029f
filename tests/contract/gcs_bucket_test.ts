/** The GCS driver on the strict server of the tests: every method, one request a call. */
import assert from "node:assert/strict";
import type { BucketError } from "#/storage/bucket/bucket_error.ts";
import { mapLimited } from "#/storage/limit.ts";
import { startGcsProcess } from "../support/servers/gcs.ts";
import {
  bytesOf,
  failsWith,
  listAll,
  openOn,
  readText,
  resourceOf,
  startWithBucket,
  textOf,
} from "./gcs_support.ts";

const MIB = 1024 * 1024;

/** Names that a URL, JSON, or a query could spoil. */
const ODD_KEYS = [
  "a b+c%20&=?#ü😀.txt",
  "+",
  "%2e%2f%",
  "tab\tx",
  "control\u0001\u001f\u007f",
  "quote\"'<>&amp;",
  "double//slash",
  "e\u0301",
  "\u00e9",
  "back\\slash",
  "~!*'()",
  " lead and trail ",
  "folder/",
  "a/../b",
  "..%2f",
  "rewriteTo/b/x/o/y",
];

Deno.test("a GCS bucket keeps objects", async (t) => {
  await using server = await startWithBucket();
  const bucket = await openOn(server, { prefix: "team/releases" });

  await t.step("what is written is what is read and listed", async () => {
    const written = await bucket.put("v1/a.json", bytesOf("hello"), { metadata: { Digest: "abc" } });
    assert.match(written.tag, /^\d{16}$/);
    assert.equal(written.contentTag, "crc32c:mnG7TA==");
    assert.equal(written.versionId, undefined);
    const head = await bucket.head("v1/a.json");
    assert.deepEqual(head, { ...written, metadata: { digest: "abc" } });
    const read = await bucket.get("v1/a.json", { maxBytes: 5 });
    assert.deepEqual(read, { object: written, bytes: bytesOf("hello") });
    assert.deepEqual(await listAll(bucket, { prefix: "v1/" }), [written]);
    const opened = await bucket.open("v1/a.json");
    assert.deepEqual(opened!.object, written);
    assert.equal(await new Response(opened!.body).text(), "hello");
    assert.ok(Math.abs(Date.parse(written.modified) - Date.now()) < 60_000);
    assert.equal(bucket.location, "gs://releases/team/releases");
    assert.equal(
      (await resourceOf(server, "team/releases/v1/a.json")).contentType,
      "application/octet-stream",
    );
  });

  await t.step("a part is what the object has of it", async () => {
    const part = (offset: number, length: number) =>
      bucket.get("v1/a.json", { maxBytes: length, range: { offset, length } });
    const found = await part(1, 3);
    assert.deepEqual([found!.bytes, found!.object.size], [bytesOf("ell"), 5]);
    assert.deepEqual((await part(3, 10))!.bytes, bytesOf("lo"));
    assert.deepEqual((await part(0, 5))!.bytes, bytesOf("hello"));
    await assert.rejects(part(5, 1), (error: BucketError) => error.context.status === 416);
    assert.equal(await bucket.get("nothing", { maxBytes: 1, range: { offset: 0, length: 1 } }), undefined);
  });

  await t.step("what is not there is undefined", async () => {
    assert.equal(await bucket.head("nothing"), undefined);
    assert.equal(await bucket.get("nothing", { maxBytes: 1 }), undefined);
    assert.equal(await bucket.open("nothing"), undefined);
    assert.deepEqual(await listAll(bucket, { prefix: "nothing" }), []);
    assert.deepEqual(await bucket.remove([{ key: "nothing" }, { key: "nothing", tag: "1" }]), []);
  });

  await t.step("an object that is larger than expected is refused", async () => {
    await failsWith("too_large", bucket.get("v1/a.json", { maxBytes: 4 }));
  });

  await t.step("an empty object is an object", async () => {
    const written = await bucket.put("empty", new Uint8Array());
    assert.deepEqual([written.size, written.contentTag], [0, "crc32c:AAAAAA=="]);
    assert.deepEqual((await bucket.get("empty", { maxBytes: 0 }))!.bytes, new Uint8Array());
    assert.equal((await bucket.copy({ key: "empty", size: 0 }, "empty2")).object.size, 0);
  });

  await t.step("a body that is not read to its end can be given up", async () => {
    await bucket.put("large", new Uint8Array(4 * MIB));
    const { body } = (await bucket.open("large"))!;
    const reader = body.getReader();
    await reader.read();
    await reader.cancel();
  });

  await t.step("the service's clock comes from its replies", async () => {
    const fresh = await openOn(server);
    assert.equal(fresh.serverNow(), undefined);
    await fresh.head("nothing");
    const now = fresh.serverNow()!;
    assert.equal(now % 1000, 0);
    assert.ok(Math.abs(now - Date.now()) < 60_000);
  });

  await t.step("one call is one request, once the bucket is known", async () => {
    const count = async (call: () => Promise<unknown>) => {
      server.clearRequests();
      await call();
      return server.requests.length;
    };
    assert.equal(await count(() => bucket.put("one", bytesOf("1"))), 1);
    assert.equal(await count(() => bucket.get("one", { maxBytes: 1 })), 1);
    assert.equal(await count(() => bucket.head("one")), 1);
    assert.equal(await count(() => bucket.copy({ key: "one", size: 1 }, "two")), 1);
    assert.equal(await count(() => listAll(bucket, { prefix: "" })), 1);
    assert.equal(await count(() => bucket.remove([{ key: "one" }, { key: "two" }])), 2);
    assert.equal(await count(() => bucket.keepsVersions()), 0);
  });
});

Deno.test("a GCS bucket keeps odd keys apart", async () => {
  await using server = await startWithBucket();
  const bucket = await openOn(server, { prefix: "odd ü+%/x" });
  await mapLimited(ODD_KEYS, 4, (key) => bucket.put(key, bytesOf(key), { condition: { absent: true } }));
  for (const key of ODD_KEYS) {
    assert.equal(await readText(bucket, key), key);
    assert.equal((await bucket.head(key))!.key, key);
    await bucket.copy({ key, size: 1 }, `copies/${key}`);
    assert.equal(await readText(bucket, `copies/${key}`), key);
  }
  const all = [...ODD_KEYS, ...ODD_KEYS.map((key) => `copies/${key}`)];
  assert.deepEqual((await listAll(bucket, { prefix: "" })).map((it) => it.key).sort(), all.toSorted());
  assert.deepEqual(await bucket.remove(all.map((key) => ({ key }))), []);
  assert.deepEqual(await listAll(bucket, { prefix: "" }), []);
});

Deno.test("conditions of writes hold on GCS", async (t) => {
  await using server = await startWithBucket();
  const bucket = await openOn(server);

  await t.step("absent, and a generation", async () => {
    const first = await bucket.put("index.json", bytesOf("1"), { condition: { absent: true } });
    await failsWith("precondition", bucket.put("index.json", bytesOf("x"), { condition: { absent: true } }));
    const second = await bucket.put("index.json", bytesOf("2"), { condition: { tag: first.tag } });
    await failsWith(
      "precondition",
      bucket.put("index.json", bytesOf("x"), { condition: { tag: first.tag } }),
    );
    assert.ok(BigInt(second.tag) > BigInt(first.tag));
    assert.equal(await readText(bucket, "index.json"), "2");
    await failsWith("precondition", bucket.put("gone", bytesOf("x"), { condition: { tag: first.tag } }));
  });

  await t.step("of 16 who create, one does", async () => {
    assert.equal(
      await race((n) => bucket.put("lock", bytesOf(String(n)), { condition: { absent: true } })),
      1,
    );
  });

  await t.step("of 16 who replace a generation, one does", async () => {
    const { tag } = (await bucket.head("lock"))!;
    assert.equal(await race((n) => bucket.put("lock", bytesOf(`again ${n}`), { condition: { tag } })), 1);
  });

  await t.step("a removal of a generation leaves another one alone", async () => {
    const old = await bucket.put("moved", bytesOf("1"));
    const current = await bucket.put("moved", bytesOf("2"));
    const failed = await bucket.remove([{ key: "moved", tag: old.tag }, { key: "lock" }]);
    assert.deepEqual(failed.map(({ key, error }) => [key, (error as BucketError).failure]), [[
      "moved",
      "precondition",
    ]]);
    assert.equal(await bucket.head("lock"), undefined);
    assert.deepEqual(await bucket.remove([{ key: "moved", tag: current.tag }]), []);
    assert.equal(await bucket.head("moved"), undefined);
  });
});

/** How many of 16 succeed; the others must be told that the condition does not hold. */
async function race(write: (n: number) => Promise<unknown>): Promise<number> {
  const ended = await Promise.allSettled(Array.from({ length: 16 }, (_, n) => write(n)));
  for (const it of ended) {
    if (it.status === "rejected") {
      assert.equal((it.reason as BucketError).failure, "precondition", String(it.reason));
    }
  }
  return ended.filter((it) => it.status === "fulfilled").length;
}

Deno.test("a versioned GCS bucket gives older versions", async () => {
  await using server = await startWithBucket();
  server.createBucket("versions", { versioned: true });
  const plain = await openOn(server);
  assert.equal(await plain.keepsVersions(), false);
  const bucket = await openOn(server, { bucket: "versions", prefix: "r" });
  assert.equal(await bucket.keepsVersions(), true);
  const one = await bucket.put("a", bytesOf("one"), { metadata: { n: "1" } });
  const two = await bucket.put("a", bytesOf("two"));
  assert.deepEqual([one.versionId, two.versionId], [one.tag, two.tag]);
  assert.deepEqual((await listAll(bucket, { prefix: "", versions: true })).map((it) => it.versionId), [
    two.tag,
  ]);
  assert.deepEqual(await bucket.remove([{ key: "a" }]), []);
  assert.equal(await bucket.head("a"), undefined);
  const old = { versionId: one.versionId! };
  assert.equal(textOf((await bucket.get("a", { maxBytes: 9, ...old }))!.bytes), "one");
  assert.equal(await new Response((await bucket.open("a", old))!.body).text(), "one");
  assert.deepEqual((await bucket.head("a", old))!.metadata, { n: "1" });
  await bucket.copy({ key: "a", size: 3, ...old }, "back");
  assert.equal(await readText(bucket, "back"), "one");
  assert.deepEqual((await bucket.head("back"))!.metadata, { n: "1" });
});

Deno.test("GCS lists 2,500 keys in order, page by page", async () => {
  await using server = await startWithBucket();
  const bucket = await openOn(server, { prefix: "many" });
  const keys = Array.from({ length: 2500 }, (_, n) => `v${n % 50}/${String(n).padStart(5, "0")} ü`);
  await mapLimited(keys, 32, (key) => bucket.put(key, bytesOf("x")));
  await (await openOn(server)).put("manyx", bytesOf("outside of the prefix"));
  server.clearRequests();
  assert.deepEqual((await listAll(bucket, { prefix: "" })).map((it) => it.key), keys.toSorted());
  assert.equal(server.requests.length, 3);

  const names: string[] = [];
  const small = await openOn(server, { prefix: "many", pageSize: 7 });
  for await (const page of small.list({ prefix: "", shallow: true })) {
    assert.deepEqual(page.objects, []);
    names.push(...page.prefixes);
  }
  assert.deepEqual(names, [...new Set(keys.map((key) => key.replace(/[^/]*$/, "")))].sort());
  assert.deepEqual(
    (await listAll(small, { prefix: "v1/" })).map((it) => it.key),
    keys.filter((key) => key.startsWith("v1/")).sort(),
  );
  assert.equal((await listAll(small, { prefix: "v1" })).length, 550, "also in the middle of a name");
  const shallow = await listAll(small, { prefix: "v1/", shallow: true });
  assert.equal(shallow.length, 50);
  for await (const page of small.list({ prefix: "" })) {
    assert.equal(page.objects.length, 7);
    break; // a list can be left
  }
});

Deno.test("GCS removes at most as many at the same time as were allowed", async () => {
  await using server = await startWithBucket();
  const bucket = await openOn(server, { jobs: 4 });
  const keys = Array.from({ length: bucket.removeBatch }, (_, n) => `k${n}`);
  await mapLimited(keys, 16, (key) => bucket.put(key, bytesOf("x")));
  let running = 0;
  let most = 0;
  server.intercept = async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 2));
    running--;
    return undefined;
  };
  assert.deepEqual(await bucket.remove(keys.map((key) => ({ key }))), []);
  server.intercept = undefined;
  assert.equal(most, 4);
  assert.deepEqual(await listAll(bucket, { prefix: "" }), []);
});

Deno.test("the GCS server of the tests runs as a process of its own", async () => {
  await using server = await startGcsProcess();
  await server.createBucket("releases", { versioned: true });
  const bucket = await openOn(server);
  const one = await bucket.put("a", bytesOf("one"), { condition: { absent: true } });
  assert.equal(one.versionId, one.tag);
  assert.equal(await readText(bucket, "a"), "one");
});
