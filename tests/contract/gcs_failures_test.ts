/** What goes wrong on GCS, told apart by what can be done about it; never with a secret. */
import assert from "node:assert/strict";
import type { Bucket } from "#/storage/bucket/bucket.ts";
import type { BucketError, BucketFailure } from "#/storage/bucket/bucket_error.ts";
import { startCuttingProxy } from "../support/servers/gcs_cutting_proxy.ts";
import {
  bytesOf,
  failsWith,
  listAll,
  openOn,
  readText,
  refusal,
  startWithBucket,
  textOf,
} from "./gcs_support.ts";

const MIB = 1024 * 1024;

/** Every call that sends a request. */
const CALLS: Readonly<Record<string, (bucket: Bucket) => Promise<unknown>>> = {
  head: (bucket) => bucket.head("a"),
  get: (bucket) => bucket.get("a", { maxBytes: 9 }),
  open: async (bucket) => await (await bucket.open("a"))?.body.cancel(),
  put: (bucket) => bucket.put("a", bytesOf("x")),
  copy: (bucket) => bucket.copy({ key: "a", size: 1 }, "b"),
  list: (bucket) => listAll(bucket, { prefix: "" }),
};

const REFUSALS:
  readonly (readonly [status: number, reason: string, message: string, failure: BucketFailure])[] = [
    [400, "invalid", "Invalid argument", "other"],
    [401, "authError", "Invalid Credentials", "bad_credentials"],
    [401, "authError", "Request had expired credentials", "expired_credentials"],
    [401, "required", "Anonymous caller does not have storage.objects.get access", "no_credentials"],
    [403, "accountDisabled", "The account has been disabled", "denied"],
    [403, "forbidden", "x@y does not have storage.objects.get access", "denied"],
    [403, "insufficientPermissions", "Insufficient Permission", "denied"],
    [403, "retentionPolicyNotMet", "is subject to bucket's retention policy", "retained"],
    [403, "objectUnderActiveHold", "is under active Temporary hold", "retained"],
    [403, "rateLimitExceeded", "slow down", "throttled"],
    [403, "userRateLimitExceeded", "slow down", "throttled"],
    [408, "requestTimeout", "Request timeout", "timeout"],
    [409, "conflict", "two at once", "server"],
    [410, "gone", "the token has expired", "server"],
    [412, "conditionNotMet", "Precondition Failed", "precondition"],
    [413, "uploadTooLarge", "too large", "too_large"],
    [429, "rateLimitExceeded", "The rate of requests is too high", "throttled"],
    [500, "internalError", "Internal Error", "server"],
    [501, "notImplemented", "not implemented", "unsupported"],
    [502, "badGateway", "Bad Gateway", "server"],
    [503, "backendError", "Service Unavailable", "server"],
  ];

Deno.test("each refusal of GCS has its class", async () => {
  await using server = await startWithBucket();
  const bucket = await openOn(server);
  await bucket.put("a", bytesOf("x"));
  for (const [status, reason, message, failure] of REFUSALS) {
    server.intercept = () => refusal(status, reason, message);
    for (const call of Object.values(CALLS)) {
      const error = await failsWith(failure, call(bucket));
      assert.equal(error.context.status, status);
      assert.ok(error.message.includes(reason) && error.message.includes(message), error.message);
      assert.equal(error.code, 52);
    }
  }
});

Deno.test("refusals that are no JSON are told by their status", async () => {
  await using server = await startWithBucket();
  const bucket = await openOn(server);
  await bucket.keepsVersions();
  server.intercept = () => new Response("<html><h1>502 from a proxy</h1></html>", { status: 502 });
  assert.match((await failsWith("server", bucket.head("a"))).message, /the service failed \(502\)$/);
  server.intercept = () => new Response("<html>a portal</html>", { status: 200 });
  await failsWith("network", bucket.head("a"));
  server.intercept = () =>
    new Response(null, { status: 302, headers: { location: "http://127.0.0.1:9/portal" } });
  await failsWith("other", bucket.head("a"));
});

Deno.test("a GCS bucket that is not there is told from an object that is not", async () => {
  await using server = await startWithBucket();
  for (const [name, call] of Object.entries(CALLS)) {
    const bucket = await openOn(server, { bucket: "no-such-bucket", prefix: "p" });
    const error = await failsWith("missing_bucket", call(bucket));
    assert.match(error.message, /in gs:\/\/no-such-bucket\/p: there is no such bucket/, name);
    await failsWith("missing_bucket", bucket.remove([{ key: "a" }]));
  }
  // Who may not look at the bucket is told by the sentence of the refusal, or by asking once more.
  const bucket = await openOn(server, { bucket: "no-such-bucket" });
  server.intercept = ({ path }) => path.includes("/o") ? undefined : refusal(403, "forbidden");
  await failsWith("missing_bucket", bucket.head("a"));
  const known = await openOn(server);
  assert.equal(await known.keepsVersions(), false);
  assert.equal(await known.head("a"), undefined);
  assert.deepEqual(await known.remove([{ key: "a" }]), []);
});

Deno.test("GCS keeps what is retained or held, and says so", async () => {
  await using server = await startWithBucket();
  server.createBucket("retained", { retentionSeconds: 3600 });
  const retained = await openOn(server, { bucket: "retained" });
  await retained.put("a", bytesOf("1"));
  await failsWith("retained", retained.put("a", bytesOf("2")));
  await failsWith("retained", retained.copy({ key: "a", size: 1 }, "a"));
  await retained.copy({ key: "a", size: 1 }, "b");
  const failed = await retained.remove([{ key: "a" }, { key: "nothing" }]);
  assert.deepEqual(failed.map(({ key, error }) => [key, (error as BucketError).failure]), [[
    "a",
    "retained",
  ]]);
  assert.equal(await readText(retained, "a"), "1");

  const bucket = await openOn(server);
  await bucket.put("a", bytesOf("1"));
  server.setHold("releases", "a", true);
  await failsWith("retained", bucket.put("a", bytesOf("2")));
  assert.equal((await bucket.remove([{ key: "a" }])).length, 1);
  server.setHold("releases", "a", false);
  assert.deepEqual(await bucket.remove([{ key: "a" }]), []);
});

Deno.test("what concerns all objects of a removal is thrown, what concerns one is returned", async () => {
  await using server = await startWithBucket();
  const bucket = await openOn(server);
  const keys = ["a", "b", "c"].map((key) => ({ key }));
  await Promise.all(keys.map(({ key }) => bucket.put(key, bytesOf("x"))));
  server.intercept = ({ path }) => path.includes("/o/b") ? refusal(503, "backendError") : undefined;
  const failed = await bucket.remove(keys);
  assert.deepEqual(failed.map(({ key, error }) => [key, (error as BucketError).failure]), [["b", "server"]]);
  server.intercept = () => refusal(401, "authError", "Invalid Credentials");
  await failsWith("bad_credentials", bucket.remove(keys));
});

Deno.test("a GCS that cannot be reached, or breaks off, is a network failure", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const closed = `http://127.0.0.1:${listener.addr.port}`;
  listener.close();
  for (const call of Object.values(CALLS)) {
    const error = await failsWith("network", call(await openOn({ endpoint: closed })));
    assert.equal(error.context.endpoint, new URL(closed).host);
  }
  await using server = await startWithBucket();
  await using proxy = startCuttingProxy(server.endpoint);
  const bucket = await openOn(proxy);
  await bucket.put("large", new Uint8Array(4 * MIB));
  proxy.cutAfterReceived(2 * MIB);
  await failsWith("network", bucket.get("large", { maxBytes: 4 * MIB }));
  proxy.cutAfterReceived(2 * MIB);
  const opened = await bucket.open("large");
  await failsWith("network", new Response(opened!.body).bytes());
  proxy.cutAfterSent(2 * MIB);
  const error = await failsWith("network", bucket.put("large", new Uint8Array(4 * MIB)));
  assert.ok(error.isUnknown);
  assert.equal(proxy.cuts, 3);
});

Deno.test("bytes from GCS that are too few, too many or wrong are noticed", async () => {
  await using server = await startWithBucket();
  const bucket = await openOn(server);
  await bucket.put("a", bytesOf("hello"));
  for (const body of ["hell", "hello!", "jello"]) {
    server.afterwards = (request, response) => {
      if (!request.path.includes("alt=media")) return response;
      const headers = new Headers(response.headers);
      headers.delete("content-length");
      return new Response(bytesOf(body) as BufferSource, { headers });
    };
    await failsWith("network", bucket.get("a", { maxBytes: 9 }));
    await failsWith("network", bucket.open("a").then((it) => new Response(it!.body).text()));
  }
});

Deno.test("a stopped request closes its connection to GCS", async (t) => {
  await using server = await startWithBucket();
  const bucket = await openOn(server);
  await bucket.put("a", bytesOf("x"));

  for (const [name, call] of Object.entries(CALLS)) {
    for (const [reason, failure] of [[new Error("stop"), "aborted"], [timedOut(), "timeout"]] as const) {
      await t.step(`${name}: ${failure}`, async () => {
        const stop = new AbortController();
        await using silent = startSilentServer(() => stop.abort(reason));
        const error = await failsWith(failure, call(withSignal(await openOn(silent), stop.signal)));
        assert.equal(error.cause, reason);
        await silent.closed; // never comes when the connection stays
      });
    }
  }

  await t.step("nothing is sent when it was stopped before", async () => {
    server.intercept = undefined;
    server.clearRequests();
    const stopped = withSignal(bucket, AbortSignal.abort());
    for (const call of Object.values(CALLS)) await failsWith("aborted", call(stopped));
    await failsWith("aborted", bucket.remove([{ key: "a" }], { signal: AbortSignal.abort() }));
    assert.deepEqual(server.requests, []);
  });

  await t.step("a body that is being read", async () => {
    await bucket.put("large", new Uint8Array(8 * MIB));
    const stop = new AbortController();
    const { body } = (await bucket.open("large", { signal: stop.signal }))!;
    const reader = body.getReader();
    await reader.read();
    stop.abort();
    const readOn = async () => {
      while (!(await reader.read()).done);
    };
    await failsWith("aborted", readOn());
  });
});

/** Knows the bucket, and never answers anything else. */
function startSilentServer(
  onRequest: () => void,
): AsyncDisposable & { endpoint: string; closed: Promise<void> } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const closed = Promise.withResolvers<void>();
  const reply = bytesOf("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}");
  const serve = async (connection: Deno.TcpConn) => {
    using _ = connection;
    const buffer = new Uint8Array(64 * 1024);
    let isAsked = false;
    try {
      for (let count = await connection.read(buffer); count !== null; count = await connection.read(buffer)) {
        if (isAsked) continue;
        isAsked = !textOf(buffer.subarray(0, count)).startsWith("GET /storage/v1/b/releases?");
        if (isAsked) onRequest();
        else await connection.write(reply);
      }
    } catch {
      // It was reset, which closes it too.
    }
    if (isAsked) closed.resolve();
  };
  const served = (async () => {
    const all: Promise<void>[] = [];
    for await (const connection of listener) all.push(serve(connection));
    await Promise.all(all);
  })();
  return {
    endpoint: `http://127.0.0.1:${listener.addr.port}`,
    closed: closed.promise,
    [Symbol.asyncDispose]: async () => {
      listener.close();
      await served;
    },
  };
}

function timedOut(): DOMException {
  return new DOMException("The time is up", "TimeoutError");
}

/** A bucket of which every call has this signal. */
function withSignal(bucket: Bucket, signal: AbortSignal): Bucket {
  const given: Partial<Bucket> = {
    head: (key) => bucket.head(key, { signal }),
    get: (key, options) => bucket.get(key, { ...options, signal }),
    open: (key) => bucket.open(key, { signal }),
    put: (key, bytes) => bucket.put(key, bytes, { signal }),
    copy: (from, to) => bucket.copy(from, to, { signal }),
    list: (request) => bucket.list({ ...request, signal }),
  };
  return given as Bucket;
}
