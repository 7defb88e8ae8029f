/** Copies within GCS, and objects that others made with settings of their own. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import { startCuttingProxy } from "../support/servers/gcs_cutting_proxy.ts";
import { failsWith, openOn, randomBytes, resourceOf, startWithBucket } from "./gcs_support.ts";

const MIB = 1024 * 1024;

Deno.test("a copy within GCS is whole and says the same of itself", async (t) => {
  await using server = await startWithBucket();
  const bucket = await openOn(server, { copyInPartsBytes: 2 * MIB, copyPartBytes: 2.5 * MIB });
  const settings = {
    contentType: "text/x-odd; charset=utf-8",
    cacheControl: "no-store",
    metadata: { Owner: "ü team" },
  };
  const content = randomBytes(64 * 1024);
  await upload(server.endpoint, "a b", content, settings);

  await t.step("content type, cache control and metadata survive", async () => {
    const { object, sha256 } = await bucket.copy({ key: "a b", size: content.length }, "backup/a b");
    assert.equal(sha256, undefined);
    assert.deepEqual({ ...(await bucket.head("backup/a b")), metadata: 0 }, { ...object, metadata: 0 });
    assert.equal(object.contentTag, (await bucket.head("a b"))!.contentTag);
    const { contentType, cacheControl, metadata } = await resourceOf(server, "backup/a b");
    assert.deepEqual({ contentType, cacheControl, metadata }, settings);
    assert.deepEqual((await bucket.get("backup/a b", { maxBytes: MIB }))!.bytes, content);
  });

  await t.step("a large object is copied in rounds, and appears with the last one", async () => {
    const size = 5 * MIB + 17;
    await upload(server.endpoint, "large", new Uint8Array(size).fill(7), settings);
    server.clearRequests();
    const seen: boolean[] = [];
    server.afterwards = async (request, response) => {
      if (request.method === "POST") seen.push((await resourceOf(server, "backup/large")).size !== undefined);
      return response;
    };
    const { object } = await bucket.copy({ key: "large", size }, "backup/large");
    server.afterwards = undefined;
    const rounds = server.requests.filter((it) => it.path.includes("/rewriteTo/"));
    assert.equal(rounds.length, 6);
    assert.ok(rounds.every((it) => it.path.includes(`maxBytesRewrittenPerCall=${2 * MIB}`)));
    assert.deepEqual(seen, [false, false, false, false, false, true]);
    assert.equal(object.size, size);
    assert.deepEqual(
      (await bucket.get("backup/large", { maxBytes: size }))!.bytes,
      new Uint8Array(size).fill(7),
    );
  });

  await t.step("a source that is gone is told", async () => {
    const error = await failsWith("other", bucket.copy({ key: "gone", size: 1 }, "x"));
    assert.match(error.message, /^Cannot copy gone to x in gs:\/\/releases: .*No such object/);
  });
});

async function upload(endpoint: string, name: string, bytes: Uint8Array, settings: object): Promise<void> {
  const at = `name=${encodeURIComponent(name)}&uploadType=media`;
  const sent = await fetch(`${endpoint}/upload/storage/v1/b/releases/o?${at}`, {
    method: "POST",
    body: bytes as BufferSource,
  });
  assert.ok(sent.ok, await sent.text());
  const changed = await fetch(`${endpoint}/storage/v1/b/releases/o/${encodeURIComponent(name)}`, {
    method: "PATCH",
    body: JSON.stringify(settings),
  });
  assert.ok(changed.ok, await changed.text());
}

Deno.test("an object that is stored packed is read as it is stored", async (t) => {
  await using server = await startWithBucket();
  const text = new TextEncoder().encode("a page of text\n".repeat(100_000));
  const packed = gzipSync(randomBytes(3 * MIB));
  const bucket = await openOn(server);

  for (const [name, bytes] of [["small", gzipSync(text)], ["large", packed]] as const) {
    await t.step(name, async () => {
      await upload(server.endpoint, name, bytes, { contentEncoding: "gzip" });
      const { object, bytes: read } = (await bucket.get(name, { maxBytes: 4 * MIB }))!;
      assert.equal(object.size, bytes.length);
      assert.deepEqual(Buffer.from(read), bytes);
      const opened = (await bucket.open(name))!;
      assert.deepEqual(Buffer.from(await new Response(opened.body).bytes()), bytes);
      await bucket.copy({ key: name, size: bytes.length }, `backup/${name}`);
      assert.equal((await resourceOf(server, `backup/${name}`)).contentEncoding, "gzip");
    });
  }

  await t.step("given up on the way", async () => {
    const left = (await bucket.open("large"))!.body.getReader();
    await left.read();
    await left.cancel();
    const stop = new AbortController();
    const stopped = (await bucket.open("large", { signal: stop.signal }))!.body.getReader();
    await stopped.read();
    stop.abort();
    await failsWith("aborted", readToEnd(stopped));
  });

  await t.step("broken off on the way", async () => {
    await using proxy = startCuttingProxy(server.endpoint);
    const far = await openOn(proxy);
    const body = (await far.open("large"))!.body.getReader();
    proxy.cutAfterReceived(2 * MIB);
    await failsWith("network", readToEnd(body));
  });
});

async function readToEnd(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  while (!(await reader.read()).done);
}
