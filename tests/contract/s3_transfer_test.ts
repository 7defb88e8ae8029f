/** The S3 driver on a real server (Ceph): copies with all that belongs to an object, and large files in parts. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { MAX_PUT_BYTES } from "#/storage/bucket/bucket.ts";
import { BucketError } from "#/storage/bucket/bucket_error.ts";
import { testRequiring } from "../support/require.ts";
import { startCeph } from "../support/servers/ceph.ts";
import { plainClient } from "../support/servers/s3_server.ts";
import { withTempDir } from "../support/temp.ts";
import { closing, failsWith, openOn } from "./s3_support.ts";

const MIB = 1024 * 1024;

testRequiring(["ceph"], "an S3 bucket copies with everything that belongs to an object", async (t) => {
  await using ceph = await startCeph();
  await ceph.createBucket("copies");
  using client = closing(plainClient(ceph));
  const bucket = await openOn(ceph, "copies", { copyInPartsBytes: 6 * MIB, copyPartBytes: 5 * MIB });
  const Body = crypto.getRandomValues(new Uint8Array(65_536));

  for (const [way, size] of [["at once", 65_536], ["in parts", 11 * MIB]] as const) {
    await t.step(way, async () => {
      const bytes = new Uint8Array(size);
      for (let at = 0; at < size; at += Body.length) bytes.set(Body.subarray(0, size - at), at);
      bytes.set([0x1f, 0x8b]); // begins as what its Content-Encoding says
      const dressed = {
        Bucket: "copies",
        Key: `from ${way}`,
        Body: bytes,
        ContentType: "text/x-thing; charset=utf-8",
        CacheControl: "max-age=31536000, immutable",
        ContentDisposition: 'attachment; filename="a b"',
        ContentEncoding: "gzip",
        ContentLanguage: "de",
        Expires: new Date("2031-02-03T04:05:06Z"),
        Metadata: { who: "me", "two-words": "a, b" },
        Tagging: "team=a%20b&stage=%C3%BC",
      };
      await client.send(new PutObjectCommand(dressed));
      const { object } = await bucket.copy({ key: dressed.Key, size }, `to ${way}`);
      assert.equal(object.size, size);
      assert.equal((await bucket.head(object.key))!.tag, object.tag);
      const read = await bucket.get(object.key, { maxBytes: size });
      assert.ok(read!.bytes.length === size && digest(read!.bytes) === digest(bytes));
      const target = { Bucket: "copies", Key: `to ${way}` };
      assert.deepEqual(await dressOf(client, target), await dressOf(client, { ...target, Key: dressed.Key }));
      assert.equal((await dressOf(client, target)).ExpiresString, "Mon, 03 Feb 2031 04:05:06 GMT");
    });
  }

  await t.step("what is not there cannot be copied", async () => {
    const error = await failsWith("other", bucket.copy({ key: "nothing", size: 1 }, "to"));
    assert.equal(error.context.code, "NoSuchKey");
    assert.match(error.message, /copy nothing to to/);
    await assert.rejects(bucket.copy({ key: "nothing", size: 7 * MIB }, "to"), BucketError);
    assert.equal(await bucket.head("to"), undefined);
  });

  await t.step("a source of another size than expected is not copied in parts", async () => {
    await failsWith("other", bucket.copy({ key: "from in parts", size: 12 * MIB }, "to"));
    assert.equal(await bucket.head("to"), undefined);
    assert.deepEqual(await unfinished(client, "copies"), []);
  });
});

testRequiring(["ceph"], "an S3 bucket takes large files in parts", async (t) => {
  await using ceph = await startCeph();
  await ceph.createBucket("uploads");
  using client = closing(plainClient(ceph));
  const bucket = await openOn(ceph, "uploads");
  await withTempDir(async (folder) => {
    const path = `${folder}/large`;
    const size = 20 * MIB + 5;
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
    Deno.writeFileSync(path, bytes);
    const file = { path, size };

    await t.step("all bytes arrive, and progress is told", async () => {
      const sent: number[] = [];
      const object = await bucket.upload("large", file, {
        metadata: { a: "b" },
        contentType: "application/x-thing",
        onBytes: (count) => sent.push(count),
      });
      assert.equal(object.size, size);
      assert.equal(object.contentTag, undefined);
      assert.deepEqual(sent, sent.toSorted((a, b) => a - b));
      assert.equal(sent.at(-1), size);
      const head = await bucket.head("large");
      assert.equal(head!.tag, object.tag);
      assert.deepEqual(head!.metadata, { a: "b" });
      const read = await bucket.get("large", { maxBytes: size });
      assert.equal(digest(read!.bytes), digest(bytes));
      assert.equal(
        (await dressOf(client, { Bucket: "uploads", Key: "large" })).ContentType,
        "application/x-thing",
      );
    });

    await t.step("a small file goes in one piece", async () => {
      Deno.writeFileSync(`${folder}/small`, bytes.subarray(0, MAX_PUT_BYTES));
      const sent: number[] = [];
      const small = { path: `${folder}/small`, size: MAX_PUT_BYTES };
      const object = await bucket.upload("small", small, { onBytes: (count) => sent.push(count) });
      assert.notEqual(object.contentTag, undefined);
      assert.deepEqual(sent, [MAX_PUT_BYTES]);
    });

    await t.step("a condition holds for parts too", async () => {
      await failsWith("precondition", bucket.upload("large", file, { condition: { absent: true } }));
      const tag = "0123456789abcdef0123456789abcdef";
      await failsWith("precondition", bucket.upload("large", file, { condition: { tag } }));
      assert.deepEqual(await unfinished(client, "uploads"), []);
    });

    await t.step("a stopped upload leaves nothing", async () => {
      const stop = new AbortController();
      const stopped = bucket.upload("stopped", file, {
        signal: stop.signal,
        onBytes: () => stop.abort("SIGINT"),
      });
      await failsWith("aborted", stopped);
      assert.equal(await bucket.head("stopped"), undefined);
      assert.deepEqual(await unfinished(client, "uploads"), []);
    });

    await t.step("a file that is not what it was is refused", async () => {
      for (const wrong of [size - 1, size + 1, size + MAX_PUT_BYTES]) {
        await assert.rejects(bucket.upload("changed", { path, size: wrong }), /changed while it was read/);
      }
      const small = { path: `${folder}/small`, size: 7 };
      await assert.rejects(bucket.upload("changed", small), /changed while it was read/);
      await assert.rejects(bucket.upload("changed", { path: `${folder}/none`, size }), /none/);
      assert.equal(await bucket.head("changed"), undefined);
      assert.deepEqual(await unfinished(client, "uploads"), []);
    });
  });
});

/** What clients see of an object beside its bytes. */
async function dressOf(client: S3Client, target: { readonly Bucket: string; readonly Key: string }) {
  const head = await client.send(new HeadObjectCommand(target));
  const { TagSet } = await client.send(new GetObjectTaggingCommand(target));
  const { ContentType, CacheControl, ContentDisposition, ContentEncoding, ContentLanguage } = head;
  const { ExpiresString, Metadata } = head;
  const texts = {
    ContentType,
    CacheControl,
    ContentDisposition,
    ContentEncoding,
    ContentLanguage,
    ExpiresString,
  };
  return { ...texts, Metadata, TagSet };
}

async function unfinished(client: S3Client, bucket: string): Promise<readonly unknown[]> {
  return (await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads ?? [];
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
