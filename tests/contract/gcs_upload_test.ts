/** Uploads of files to GCS: in one request, in parts, and through failures on the way. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { MAX_PUT_BYTES } from "#/storage/bucket/bucket.ts";
import { startCuttingProxy } from "../support/servers/gcs_cutting_proxy.ts";
import type { GcsServer } from "../support/servers/gcs.ts";
import { withTempDir } from "../support/temp.ts";
import {
  bytesOf,
  failsWith,
  openOn,
  randomBytes,
  refusal,
  resourceOf,
  startWithBucket,
} from "./gcs_support.ts";

const MIB = 1024 * 1024;
const SIZE = 20 * MIB + 5;

interface Place {
  readonly server: GcsServer;
  readonly file: { readonly path: string; readonly size: number };
  readonly content: Uint8Array;
}

/** A server, and a file of a little more than 20 MiB. */
function uploadTest(name: string, body: (place: Place) => Promise<void>): void {
  Deno.test(name, async () => {
    await withTempDir(async (folder) => {
      await using server = await startWithBucket();
      const content = randomBytes(SIZE);
      const path = join(folder, "file");
      await Deno.writeFile(path, content);
      await body({ server, content, file: { path, size: content.length } });
    });
  });
}

const isPart = (request: { readonly method: string }) => request.method === "PUT";
const contentRange = (request: { readonly headers: Headers }) => request.headers.get("content-range") ?? "";

uploadTest(
  "a large file goes to GCS in parts, and appears with the last one",
  async ({ server, file, content }) => {
    const bucket = await openOn(server, { prefix: "p" });
    const progress: number[] = [];
    const seen: unknown[] = [];
    server.afterwards = async (request, response) => {
      if (isPart(request)) seen.push((await resourceOf(server, "p/large ü+")).size);
      return response;
    };
    const made = await bucket.upload("large ü+", file, {
      condition: { absent: true },
      contentType: "application/x-tar",
      metadata: { owner: "ü" },
      onBytes: (bytes) => progress.push(bytes),
    });
    server.afterwards = undefined;
    assert.deepEqual(seen, [undefined, undefined, String(SIZE)]);
    assert.deepEqual(progress, [8 * MIB, 16 * MIB, SIZE]);
    assert.deepEqual((await bucket.get("large ü+", { maxBytes: SIZE }))!.bytes, content);
    assert.deepEqual(await bucket.head("large ü+"), { ...made, metadata: { owner: "ü" } });
    assert.equal((await resourceOf(server, "p/large ü+")).contentType, "application/x-tar");
    assert.equal(server.unfinishedUploads, 0);
    await failsWith("precondition", bucket.upload("large ü+", file, { condition: { absent: true } }));
    await bucket.upload("large ü+", file, { condition: { tag: made.tag } });
  },
);

uploadTest("a condition that stops holding during an upload to GCS is told", async ({ server, file }) => {
  const bucket = await openOn(server);
  let isFirst = true;
  server.intercept = async (request) => {
    if (!isPart(request) || !isFirst) return undefined;
    isFirst = false;
    await bucket.put("a", bytesOf("faster"));
    return undefined;
  };
  await failsWith("precondition", bucket.upload("a", file, { condition: { absent: true } }));
  assert.equal((await bucket.head("a"))!.size, 6);
  assert.equal(server.unfinishedUploads, 0);
});

uploadTest("files of up to 8 MiB go to GCS in one request", async ({ server, file, content }) => {
  const bucket = await openOn(server);
  for (const size of [0, 1, MAX_PUT_BYTES]) {
    await Deno.writeFile(file.path, content.subarray(0, size));
    server.clearRequests();
    const progress: number[] = [];
    await bucket.upload("a", { path: file.path, size }, { onBytes: (bytes) => progress.push(bytes) });
    assert.equal(server.requests.filter((it) => it.method !== "GET").length, 1);
    assert.deepEqual(progress, [size]);
    assert.deepEqual((await bucket.get("a", { maxBytes: SIZE }))!.bytes, content.slice(0, size));
  }
});

uploadTest("a part that broke off goes on where the service stands", async ({ server, file, content }) => {
  const bucket = await openOn(server);
  const ranges: string[] = [];
  server.intercept = (request) => {
    if (isPart(request)) ranges.push(contentRange(request));
    return undefined;
  };
  server.breakNextChunk(3 * MIB + 100_000);
  await bucket.upload("a", file);
  const kept = 3 * MIB; // whole 256 KiB only
  assert.deepEqual(ranges.slice(0, 3), [
    `bytes 0-${8 * MIB - 1}/${SIZE}`,
    `bytes */${SIZE}`,
    `bytes ${kept}-${kept + 8 * MIB - 1}/${SIZE}`,
  ]);
  assert.deepEqual((await bucket.get("a", { maxBytes: SIZE }))!.bytes, content);
});

uploadTest("an upload to GCS survives a connection that is cut", async ({ server, file, content }) => {
  await using proxy = startCuttingProxy(server.endpoint);
  const bucket = await openOn(proxy);
  proxy.cutAfterSent(12 * MIB);
  await bucket.upload("a", file);
  assert.equal(proxy.cuts, 1);
  assert.deepEqual((await bucket.get("a", { maxBytes: SIZE }))!.bytes, content);
});

uploadTest("the lost reply of the last part is found out", async ({ server, file, content }) => {
  const bucket = await openOn(server);
  let lost = 0;
  server.afterwards = (request, response) => {
    if (!isPart(request) || response.status !== 200 || lost++ > 0) return response;
    return refusal(503, "backendError");
  };
  const made = await bucket.upload("a", file, { condition: { absent: true } });
  assert.equal(lost, 2);
  assert.equal((await bucket.head("a"))!.tag, made.tag);
  assert.deepEqual((await bucket.get("a", { maxBytes: SIZE }))!.bytes, content);
});

uploadTest(
  "an upload that fails again and again is given up, and leaves nothing",
  async ({ server, file }) => {
    const bucket = await openOn(server);
    let parts = 0;
    server.intercept = (request) => {
      if (!isPart(request) || contentRange(request).startsWith("bytes */")) return undefined;
      return ++parts > 1 ? refusal(503, "backendError") : undefined;
    };
    await failsWith("server", bucket.upload("a", file));
    assert.equal(parts, 1 + 5);
    assert.equal(server.unfinishedUploads, 0);
    assert.equal(await bucket.head("a"), undefined);
  },
);

uploadTest("an upload whose session was forgotten can be begun anew", async ({ server, file }) => {
  const bucket = await openOn(server);
  server.intercept = (request) => isPart(request) ? refusal(410, "gone") : undefined;
  const error = await failsWith("server", bucket.upload("a", file));
  assert.ok(error.isTransient);
  assert.equal(server.requests.filter(isPart).length, 1);
});

uploadTest("an upload that is stopped ends at once and leaves nothing", async ({ server, file }) => {
  const bucket = await openOn(server);
  const stop = new AbortController();
  let parts = 0;
  server.intercept = (request) => {
    if (isPart(request) && ++parts === 2) stop.abort();
    return undefined;
  };
  await failsWith("aborted", bucket.upload("a", file, { signal: stop.signal }));
  assert.equal(parts, 2);
  assert.equal(server.unfinishedUploads, 0);
  assert.equal(await bucket.head("a"), undefined);
});

uploadTest("a file that changes while it is sent is noticed", async ({ server, file }) => {
  const bucket = await openOn(server);
  const error = await failsWith("other", bucket.upload("a", { ...file, size: SIZE + 1 }));
  assert.match(error.message, /became shorter while it was sent/);
  assert.match(
    (await failsWith("other", bucket.upload("a", { ...file, size: SIZE - 1 }))).message,
    /became longer/,
  );
  await failsWith("other", bucket.upload("a", { ...file, size: 5 }));
  assert.equal(await bucket.head("a"), undefined);
  assert.equal(server.unfinishedUploads, 0);
});

uploadTest("bytes that are spoiled on the way to GCS do not become an object", async ({ server, file }) => {
  const bucket = await openOn(server);
  let first = true;
  server.intercept = async (request) => {
    if (!isPart(request) || !first) return undefined;
    first = false;
    // Between two parts the file gets other bytes where it was sent already, and the part is asked for again.
    const changed = await Deno.open(file.path, { write: true });
    await changed.write(new Uint8Array(64).fill(1));
    changed.close();
    return refusal(503, "backendError");
  };
  const error = await failsWith("other", bucket.upload("a", file));
  assert.match(error.message, /X-Goog-Hash/);
  assert.equal(await bucket.head("a"), undefined);
});
