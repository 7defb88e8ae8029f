/** The S3 driver on a real server (Ceph): every method, one request a call. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { BucketError } from "#/storage/bucket/bucket_error.ts";
import { mapLimited } from "#/storage/limit.ts";
import { testRequiring } from "../support/require.ts";
import { startCeph } from "../support/servers/ceph.ts";
import { startS3rver } from "../support/servers/s3rver.ts";
import { plainClient } from "../support/servers/s3_server.ts";
import { bytesOf, closing, failsWith, listAll, openOn, readText, textOf } from "./s3_support.ts";

/** Names that a URL, XML, or a query could spoil. */
const ODD_KEYS = [
  "a b+c%20&=?#ü😀.txt",
  "+",
  "%2e%2f%",
  "line\nbreak",
  "carriage\rreturn",
  "tab\tx",
  "control\u0001\u001f\u007f",
  "quote\"'<>&amp;",
  "double//slash",
  "e\u0301",
  "back\\slash",
  "~!*'()",
  " lead and trail ",
  "folder/",
];

testRequiring(["ceph"], "an S3 bucket keeps objects", async (t) => {
  await using ceph = await startCeph();
  await ceph.createBucket("objects");
  const bucket = await openOn(ceph, "objects", { prefix: "team/releases" });

  await t.step("what is written is what is read and listed", async () => {
    const bytes = bytesOf("hello");
    const written = await bucket.put("v1/a.json", bytes, { metadata: { Digest: "abc" } });
    const md5 = createHash("md5").update(bytes).digest("hex");
    assert.equal(written.tag, md5);
    assert.equal(written.contentTag, `etag:${md5}`);
    assert.equal(written.versionId, undefined);

    const head = await bucket.head("v1/a.json");
    assert.deepEqual({ ...head, modified: "" }, { ...written, modified: "", metadata: { digest: "abc" } });
    const read = await bucket.get("v1/a.json", { maxBytes: 5 });
    assert.equal(textOf(read!.bytes), "hello");
    assert.equal(read!.object.tag, md5);
    const listed = await listAll(bucket, { prefix: "v1/" });
    assert.deepEqual(listed.map(({ key, size, tag }) => ({ key, size, tag })), [
      { key: "v1/a.json", size: 5, tag: md5 },
    ]);
    assert.ok(Math.abs(Date.parse(head!.modified) - Date.now()) < 60_000);
    assert.equal(bucket.location, "s3://objects/team/releases");
  });

  await t.step("a part is what the object has of it", async () => {
    const part = (offset: number, length: number) =>
      bucket.get("v1/a.json", { maxBytes: length, range: { offset, length } });
    const found = await part(1, 3);
    assert.deepEqual([textOf(found!.bytes), found!.object.size], ["ell", 5]);
    assert.equal(textOf((await part(3, 10))!.bytes), "lo");
    assert.equal(textOf((await part(0, 5))!.bytes), "hello");
    await assert.rejects(part(5, 1), (error: BucketError) => error.context.status === 416);
    assert.equal(await bucket.get("nothing", { maxBytes: 1, range: { offset: 0, length: 1 } }), undefined);
  });

  await t.step("what is not there is undefined", async () => {
    assert.equal(await bucket.head("nothing"), undefined);
    assert.equal(await bucket.get("nothing", { maxBytes: 1 }), undefined);
    assert.equal(await bucket.open("nothing"), undefined);
    assert.deepEqual(await listAll(bucket, { prefix: "nothing" }), []);
  });

  await t.step("an object that is larger than expected is refused", async () => {
    await failsWith("too_large", bucket.get("v1/a.json", { maxBytes: 4 }));
  });

  await t.step("an empty object is an object", async () => {
    await bucket.put("empty", new Uint8Array());
    assert.equal((await bucket.head("empty"))!.size, 0);
    assert.equal((await bucket.get("empty", { maxBytes: 0 }))!.bytes.length, 0);
  });

  await t.step("a stream brings all bytes, and may be left", async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(65_536));
    await bucket.put("stream", bytes);
    const opened = await bucket.open("stream");
    assert.deepEqual(new Uint8Array(await new Response(opened!.body).arrayBuffer()), bytes);
    await (await bucket.open("stream"))!.body.cancel();
  });

  await t.step("bytes that are stored packed stay packed", async () => {
    const packed = gzipSync("text ".repeat(1000));
    using client = closing(plainClient(ceph));
    const object = { Bucket: "objects", Key: "team/releases/packed", Body: packed, ContentEncoding: "gzip" };
    await client.send(new PutObjectCommand(object));
    assert.deepEqual((await bucket.get("packed", { maxBytes: 10_000 }))!.bytes, new Uint8Array(packed));
    assert.equal((await bucket.head("packed"))!.size, packed.length);
  });

  await t.step("odd keys survive every request", async () => {
    for (const name of ODD_KEYS) {
      const key = `odd/${name}`;
      const { size } = await bucket.put(key, bytesOf(name));
      assert.equal(await readText(bucket, key), name);
      assert.equal((await bucket.head(key))!.size, size, key);
      await bucket.copy({ key, size }, `copied/${name}`);
      assert.equal(await readText(bucket, `copied/${name}`), name);
    }
    const small = await openOn(ceph, "objects", { prefix: "team/releases", pageSize: 1 });
    const expected = ODD_KEYS.map((name) => `odd/${name}`).sort(byBytes);
    assert.deepEqual((await listAll(small, { prefix: "odd/" })).map((it) => it.key), expected);
    const all = await listAll(bucket, { prefix: "odd/" });
    assert.deepEqual(await bucket.remove(all.map(({ key }) => ({ key }))), []);
    for (const { key } of await listAll(bucket, { prefix: "copied/" })) {
      assert.deepEqual(await bucket.remove([{ key }]), []);
    }
    assert.deepEqual(await listAll(bucket, { prefix: "odd/" }), []);
    assert.deepEqual(await listAll(bucket, { prefix: "copied/" }), []);
  });

  await t.step("a key that a URL would change is refused", async () => {
    await failsWith("other", bucket.put("a/../b", bytesOf("x")));
    await failsWith("other", bucket.get("./b", { maxBytes: 1 }));
    await failsWith("other", bucket.remove([{ key: ".." }]));
  });

  await t.step("a shallow listing shows folders", async () => {
    for (const key of ["tree/x", "tree/a b/1", "tree/a b/2", "tree/ü/1"]) await bucket.put(key, bytesOf(key));
    const pages = await Array.fromAsync(bucket.list({ prefix: "tree/", shallow: true }));
    assert.deepEqual(pages.flatMap((page) => page.objects.map((it) => it.key)), ["tree/x"]);
    assert.deepEqual(pages.flatMap((page) => page.prefixes), ["tree/a b/", "tree/ü/"]);
    const deep = await listAll(bucket, { prefix: "tree/a" });
    assert.deepEqual(deep.map((it) => it.key), ["tree/a b/1", "tree/a b/2"]);
  });

  await t.step("the server's clock is known after a reply, in whole seconds", async () => {
    const fresh = await openOn(ceph, "objects");
    assert.equal(fresh.serverNow(), undefined);
    await fresh.head("x");
    const now = fresh.serverNow()!;
    assert.equal(now % 1000, 0);
    assert.ok(Math.abs(now - Date.now()) < 5_000);
  });
});

testRequiring(
  ["ceph"],
  "an S3 bucket honours conditions, in the spelling that the server wants",
  async (t) => {
    await using ceph = await startCeph();
    await ceph.createBucket("conditions");
    const bucket = await openOn(ceph, "conditions");

    await t.step("a new object is created once", async () => {
      await bucket.put("index.json", bytesOf("1"), { condition: { absent: true } });
      await failsWith(
        "precondition",
        bucket.put("index.json", bytesOf("2"), { condition: { absent: true } }),
      );
      assert.equal(await readText(bucket, "index.json"), "1");
    });

    await t.step("an object is replaced when it is what was read", async () => {
      const { tag } = (await bucket.head("index.json"))!;
      const second = await bucket.put("index.json", bytesOf("2"), { condition: { tag } });
      await failsWith("precondition", bucket.put("index.json", bytesOf("3"), { condition: { tag } }));
      await bucket.put("index.json", bytesOf("4"), { condition: { tag: second.tag } });
      assert.equal(await readText(bucket, "index.json"), "4");
    });

    await t.step("a stale tag is refused also by a client that knows nothing yet", async () => {
      const fresh = await openOn(ceph, "conditions");
      const tag = createHash("md5").update("2").digest("hex");
      await failsWith("precondition", fresh.put("index.json", bytesOf("5"), { condition: { tag } }));
      await failsWith("precondition", fresh.put("not-there", bytesOf("5"), { condition: { tag } }));
    });

    await t.step("of sixteen writers at the same moment one wins", async () => {
      const writers = await Promise.all(Array.from({ length: 16 }, () => openOn(ceph, "conditions")));
      for (let round = 0; round < 5; round++) {
        const key = `race-${round}`;
        await raced(
          writers.map((it, i) => () => it.put(key, bytesOf(`${i}`), { condition: { absent: true } })),
          key,
        );
        const { tag } = (await bucket.head(key))!;
        await raced(
          writers.map((it, i) => () => it.put(key, bytesOf(`second ${i}`), { condition: { tag } })),
          key,
        );
      }
    });

    /** Lets them all go at once; exactly one succeeds, and what it wrote is there. */
    async function raced(puts: readonly (() => Promise<unknown>)[], key: string): Promise<void> {
      const results = await Promise.allSettled(puts.map((put) => put()));
      const winners = results.flatMap((result, i) => result.status === "fulfilled" ? [i] : []);
      assert.equal(winners.length, 1, `${winners.length} writers were told that they won`);
      for (const result of results) {
        if (result.status === "fulfilled") continue;
        assert.ok(result.reason instanceof BucketError, String(result.reason));
        assert.ok(["precondition", "server"].includes(result.reason.failure), result.reason.message);
      }
      assert.match((await readText(bucket, key))!, new RegExp(`^(second )?${winners[0]}$`));
    }
  },
);

testRequiring(["ceph"], "an S3 bucket lists and removes many objects", async () => {
  await using ceph = await startCeph();
  await ceph.createBucket("many");
  const bucket = await openOn(ceph, "many", { prefix: "p" });
  const keys = Array.from({ length: 2500 }, (_, i) => `many/${String(i).padStart(4, "0")}`);
  await mapLimited(keys, 32, (key) => bucket.put(key, bytesOf(key)));
  await bucket.put("other", bytesOf("stays"));

  const pages = await Array.fromAsync(bucket.list({ prefix: "many/" }));
  assert.deepEqual(pages.map((page) => page.objects.length), [1000, 1000, 500]);
  assert.deepEqual(pages.flatMap((page) => page.objects.map((it) => it.key)), keys);

  const absent = Array.from({ length: 200 }, (_, i) => ({ key: `absent/${i}` }));
  const first = [...keys.slice(0, 800).map((key) => ({ key })), ...absent];
  assert.deepEqual(await bucket.remove(first), []);
  assert.deepEqual(await bucket.remove(keys.slice(800, 1200).map((key) => ({ key, tag: "whatever" }))), []);
  assert.deepEqual((await listAll(bucket, { prefix: "many/" })).map((it) => it.key), keys.slice(1200));
  assert.deepEqual(await bucket.remove([{ key: "absent/1" }]), []);
  assert.deepEqual(await bucket.remove([]), []);
  await assert.rejects(bucket.remove(keys.slice(0, 1001).map((key) => ({ key }))), RangeError);
  assert.equal(await readText(bucket, "other"), "stays");
});

testRequiring(["ceph"], "an S3 bucket keeps versions", async () => {
  await using ceph = await startCeph();
  await ceph.createBucket("plain");
  await ceph.createBucket("versioned", { versioned: true });
  const plain = await openOn(ceph, "plain");
  assert.equal(await plain.keepsVersions(), false);
  await plain.put("k", bytesOf("x"));
  assert.deepEqual((await listAll(plain, { prefix: "", versions: true })).map((it) => it.versionId), [
    undefined,
  ]);

  const bucket = await openOn(ceph, "versioned", { prefix: "p", pageSize: 2 });
  assert.equal(await bucket.keepsVersions(), true);
  const one = await bucket.put("a b", bytesOf("one"));
  const two = await bucket.put("a b", bytesOf("two!"));
  assert.ok(one.versionId !== undefined && two.versionId !== undefined && one.versionId !== two.versionId);
  await bucket.put("gone", bytesOf("x"));
  assert.deepEqual(await bucket.remove([{ key: "gone" }]), []);
  for (const key of ["+", "c", "d/e", "ü"]) await bucket.put(key, bytesOf(key));

  assert.equal((await bucket.head("a b"))!.versionId, two.versionId);
  const old = await bucket.get("a b", { maxBytes: 100, versionId: one.versionId });
  assert.equal(textOf(old!.bytes), "one");
  assert.equal(await bucket.head("gone"), undefined);

  const listed = await listAll(bucket, { prefix: "", versions: true });
  assert.deepEqual(listed.map((it) => it.key), ["+", "a b", "c", "d/e", "ü"]);
  assert.equal(listed[1]!.versionId, two.versionId);
  const shallow = await Array.fromAsync(bucket.list({ prefix: "", versions: true, shallow: true }));
  assert.deepEqual(shallow.flatMap((page) => page.prefixes), ["d/"]);

  await bucket.copy({ key: "a b", size: 3, versionId: one.versionId }, "restored");
  assert.equal(await readText(bucket, "restored"), "one");
});

testRequiring(["s3rver"], "a server that ignores conditions: s3rver", async () => {
  await using server = await startS3rver();
  await server.createBucket("unsafe");
  const bucket = await openOn(server, "unsafe");
  await bucket.put("index.json", bytesOf("one"), { condition: { absent: true } });
  const { tag } = (await bucket.head("index.json"))!;
  await bucket.put("index.json", bytesOf("two"), { condition: { absent: true } });
  await bucket.put("index.json", bytesOf("three"), { condition: { tag } });
  assert.equal(await readText(bucket, "index.json"), "three");
  await bucket.copy({ key: "index.json", size: 5 }, "a b+c");
  // It does not sort everywhere either.
  const listed = (await listAll(bucket, { prefix: "" })).map((it) => it.key).sort();
  assert.deepEqual(listed, ["a b+c", "index.json"]);
  assert.deepEqual(await bucket.remove([{ key: "a b+c" }, { key: "index.json", tag: "old" }]), []);
  assert.deepEqual(await listAll(bucket, { prefix: "" }), []);
  assert.equal(await bucket.keepsVersions(), false);
});

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
