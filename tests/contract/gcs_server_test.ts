/** The GCS server of the tests itself: it has to refuse what Google refuses, or the driver's tests prove nothing. */
import assert from "node:assert/strict";
import { startWithBucket } from "./gcs_support.ts";

interface Ask {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
}

const B = "/storage/v1/b/releases";
const U = "/upload/storage/v1/b/releases/o";
const REFUSED: readonly (readonly [why: string, status: number, ask: Ask])[] = [
  ["an unknown parameter", 400, { path: `${B}/o?prefx=a` }],
  ["a parameter twice", 400, { path: `${B}/o?prefix=a&prefix=b` }],
  ["an unknown field", 400, { path: `${B}/o?fields=items(nme)` }],
  ["a page token of nobody", 400, { path: `${B}/o?pageToken=%25` }],
  ["no page at all", 400, { path: `${B}/o?maxResults=0` }],
  ["a condition that is no number", 400, { path: `${B}/o/a?ifGenerationMatch=abc` }],
  ["an insert without a name", 400, { method: "POST", path: `${U}?uploadType=media`, body: "x" }],
  ["an unknown way to insert", 400, { method: "POST", path: `${U}?uploadType=odd&name=b`, body: "x" }],
  ["a body that is not multipart", 400, {
    method: "POST",
    path: `${U}?uploadType=multipart&name=b`,
    body: "x",
  }],
  ["an unknown setting", 400, { method: "PATCH", path: `${B}/o/a`, body: '{"colour": "red"}' }],
  ["metadata that is no text", 400, { method: "PATCH", path: `${B}/o/a`, body: '{"metadata": {"a": 1}}' }],
  ["a round that is no MiB", 400, {
    method: "POST",
    path: `${B}/o/a/rewriteTo/b/releases/o/b?maxBytesRewrittenPerCall=5`,
  }],
  ["a rewrite token of nobody", 400, {
    method: "POST",
    path: `${B}/o/a/rewriteTo/b/releases/o/b?rewriteToken=x`,
  }],
  ["an upload of nobody", 404, { method: "PUT", path: `${U}?uploadType=resumable&upload_id=x`, body: "x" }],
  ["another generation", 412, { path: `${B}/o/a?ifGenerationMatch=1` }],
  ["another metageneration", 412, { method: "DELETE", path: `${B}/o/a?ifMetagenerationMatch=2` }],
  ["another source", 412, {
    method: "POST",
    path: `${B}/o/a/copyTo/b/releases/o/b?ifSourceGenerationMatch=1`,
  }],
  ["a range behind the end", 416, { path: `${B}/o/a?alt=media`, headers: { range: "bytes=99-" } }],
  ["a generation that is not there", 404, { path: `${B}/o/a?generation=1` }],
  ["a bucket twice", 409, { method: "POST", path: "/storage/v1/b?project=x", body: '{"name": "releases"}' }],
  ["another API", 404, { path: "/releases/a" }],
];

Deno.test("the GCS server of the tests refuses what Google refuses", async (t) => {
  await using server = await startWithBucket();
  const ask = ({ method = "GET", path, headers = {}, body }: Ask) =>
    fetch(server.endpoint + path, { method, headers, ...(body === undefined ? {} : { body }) });
  const generation = String(
    (await (await ask({ method: "POST", path: `${U}?uploadType=media&name=a`, body: "hello" })).json())
      .generation,
  );

  for (const [why, status, request] of REFUSED) {
    await t.step(why, async () => {
      const reply = await ask(request);
      const text = await reply.text();
      assert.equal(reply.status, status, text);
      if (request.path.includes("alt=media")) return;
      assert.equal(JSON.parse(text).error.code, status);
      assert.ok(JSON.parse(text).error.errors[0].reason !== "");
    });
  }

  await t.step("conditions of reads", async () => {
    const same = await ask({ path: `${B}/o/a?ifGenerationNotMatch=${generation}` });
    assert.deepEqual([same.status, await same.text()], [304, ""]);
    const part = await ask({
      path: `${B}/o/a?alt=media&generation=${generation}`,
      headers: { range: "bytes=1-3" },
    });
    assert.deepEqual([part.status, await part.text(), part.headers.get("content-range")], [
      206,
      "ell",
      "bytes 1-3/5",
    ]);
    const missing = await ask({ path: `${B}/o/b?alt=media` });
    assert.deepEqual([missing.status, await missing.text()], [404, "No such object: releases/b"]);
  });

  await t.step("checksums that do not hold", async () => {
    for (const [crc32c, status] of [["mnG7TA==", 200], ["AAAAAA==", 400]] as const) {
      const body = `--x\r\nContent-Type: application/json\r\n\r\n${JSON.stringify({ crc32c })}\r\n` +
        "--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x--";
      const headers = { "content-type": "multipart/related; boundary=x" };
      const reply = await ask({ method: "POST", path: `${U}?uploadType=multipart&name=b`, headers, body });
      await reply.body?.cancel();
      assert.equal(reply.status, status);
    }
  });

  await t.step("parts of a wrong size, at a wrong place, of another total", async () => {
    const headers = { "x-upload-content-length": "300000" };
    const begun = await ask({ method: "POST", path: `${U}?uploadType=resumable&name=c`, headers });
    await begun.body?.cancel();
    const path = begun.headers.get("location")!.slice(server.endpoint.length);
    const put = async (range: string, size: number) => {
      const headers = { "content-range": range };
      const reply = await ask({ method: "PUT", path, headers, body: new Uint8Array(size) });
      await reply.body?.cancel();
      return [reply.status, reply.headers.get("range")];
    };
    assert.deepEqual(await put("bytes 0-99/300000", 100), [400, null]);
    assert.deepEqual(await put("bytes 262144-299999/300000", 37856), [400, null]);
    assert.deepEqual(await put("bytes 0-262143/400000", 262144), [400, null]);
    assert.deepEqual(await put("bytes 0-262143/300000", 5), [400, null]);
    assert.deepEqual(await put("bytes */300000", 0), [308, null]);
    assert.deepEqual(await put("bytes 0-262143/300000", 262144), [308, "bytes=0-262143"]);
    assert.deepEqual(await put("bytes */300000", 0), [308, "bytes=0-262143"]);
    assert.deepEqual(await put("bytes 262144-299999/300000", 37856), [200, null]);
    assert.deepEqual(await put("bytes */300000", 0), [200, null]);
  });
});
