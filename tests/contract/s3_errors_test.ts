/** What the S3 driver makes of refusals and broken replies: of a real server, and of one that says what it is told to. */
import assert from "node:assert/strict";
import { UsageError } from "#/core/errors.ts";
import type { Bucket } from "#/storage/bucket/bucket.ts";
import { BucketError, type BucketFailure } from "#/storage/bucket/bucket_error.ts";
import { testRequiring } from "../support/require.ts";
import { startCeph } from "../support/servers/ceph.ts";
import { askFreePorts } from "../support/servers/started_server.ts";
import { type RawReply, startRawServer } from "../support/servers/raw_server.ts";
import { bytesOf, failsWith, listAll, openOn } from "./s3_support.ts";
import { openS3Bucket } from "#/storage/s3/open.ts";
import { clientEnvironment } from "../support/servers/s3_server.ts";

const SECRET = "sEcRetSEcRetsEcRet1234567890";

/** One call of every method. */
const CALLS: readonly (readonly [string, (bucket: Bucket) => Promise<unknown>])[] = [
  ["head", (bucket) => bucket.head("k")],
  ["get", (bucket) => bucket.get("k", { maxBytes: 10 })],
  ["open", (bucket) => bucket.open("k")],
  ["put", (bucket) => bucket.put("k", bytesOf("x"), { condition: { absent: true } })],
  ["copy", (bucket) => bucket.copy({ key: "k", size: 1 }, "to")],
  ["remove one", (bucket) => removeAll(bucket, ["k"])],
  ["remove two", (bucket) => removeAll(bucket, ["k", "l"])],
  ["list", (bucket) => listAll(bucket, { prefix: "" })],
];

testRequiring(["ceph"], "an S3 server's refusals are told apart", async (t) => {
  await using ceph = await startCeph();
  await ceph.createBucket("mine");
  const [nobody] = askFreePorts(1) as [number];
  const cases: readonly (readonly [BucketFailure, string, Record<string, string>, string])[] = [
    ["missing_bucket", "a bucket that is not there", {}, "not-there"],
    ["bad_credentials", "an unknown key", { AWS_ACCESS_KEY_ID: "AKIAUNKNOWNKEY123456" }, "mine"],
    ["bad_credentials", "a wrong secret", { AWS_SECRET_ACCESS_KEY: SECRET }, "mine"],
    ["network", "nobody listens", { AWS_ENDPOINT_URL: `http://127.0.0.1:${nobody}` }, "mine"],
    ["network", "no such host", { AWS_ENDPOINT_URL: "http://nowhere.invalid:8000" }, "mine"],
    [
      "network",
      "TLS where there is none",
      { AWS_ENDPOINT_URL: ceph.endpoint.replace("http", "https") },
      "mine",
    ],
  ];
  for (const [failure, name, environment, bucketName] of cases) {
    await t.step(name, async () => {
      for (const [method, call] of CALLS) {
        const bucket = await openOn(ceph, bucketName, { environment });
        const secrets = [ceph.secretKey, SECRET, "AKIAUNKNOWNKEY123456"];
        const error = await failsWith(failure, call(bucket), secrets);
        assert.match(error.message, new RegExp(`in s3://${bucketName}`), method);
        assert.ok(error.hint !== undefined && error.context.endpoint !== undefined, method);
      }
    });
  }

  await t.step("a wrong clock, and again", async () => {
    const bucket = await openOn(ceph, "mine");
    for (const [, call] of [...CALLS, ...CALLS]) {
      await withClockOff(3_600_000, () => failsWith("clock_skew", call(bucket), [ceph.secretKey]));
    }
    assert.equal(await bucket.head("nothing"), undefined);
  });

  await t.step("a bucket of somebody else", async () => {
    const other = await openOn(ceph, "mine", {
      environment: { AWS_ACCESS_KEY_ID: "AKOTHER", AWS_SECRET_ACCESS_KEY: SECRET },
    });
    await ceph.createUser("other", "AKOTHER", SECRET);
    for (const [, call] of CALLS) await failsWith("denied", call(other), [SECRET, "AKOTHER"]);
  });
});

const xml = (code: string, message = "", more = "") =>
  `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${message}</Message>${more}</Error>`;

/** Bytes that a server could answer with, and what they mean. */
const REPLIES: readonly (readonly [BucketFailure, string, RawReply, RegExp?])[] = [
  ["expired_credentials", "expired token", {
    status: 400,
    body: xml("ExpiredToken", "The token has expired."),
  }],
  ["expired_credentials", "refresh", { status: 400, body: xml("TokenRefreshRequired") }],
  [
    "wrong_region",
    "redirect",
    { status: 301, body: xml("PermanentRedirect"), headers: inRegion() },
    /eu-west-7/,
  ],
  [
    "wrong_region",
    "malformed",
    { status: 400, body: xml("AuthorizationHeaderMalformed", "region", "<Region>eu-west-7</Region>") },
    /it is in eu-west-7/,
  ],
  ["throttled", "slow down", { status: 503, body: xml("SlowDown", "Please reduce your request rate.") }],
  ["throttled", "429", { status: 429, body: "" }],
  ["server", "internal", { status: 500, body: xml("InternalError") }],
  ["server", "bad gateway", { status: 502, body: "<html><body>Bad <b>gateway</body></html>" }],
  ["server", "conflict", { status: 409, body: xml("ConditionalRequestConflict") }],
  ["unsupported", "not implemented", { status: 501, body: xml("NotImplemented") }],
  ["denied", "denied", {
    status: 403,
    body: xml("AccessDenied", "User: arn:aws:iam::1:user/me is not authorized"),
  }],
  ["retained", "locked", {
    status: 403,
    body: xml("AccessDenied", "because object protected by object lock."),
  }],
  ["too_large", "too large", { status: 400, body: xml("EntityTooLarge") }],
  ["timeout", "request timeout", { status: 400, body: xml("RequestTimeout", "Your socket was idle") }],
  ["other", "full", { status: 507, body: xml("XMinioStorageFull") }],
  [
    "bad_credentials",
    "signature",
    {
      status: 403,
      body: xml(
        "SignatureDoesNotMatch",
        `Signature=abcdef of ${SECRET} at https://user:pass@host/x?X-Amz-Signature=1`,
        `<AWSAccessKeyId>AKIAMINE</AWSAccessKeyId><StringToSign>AWS4-HMAC-SHA256 ${SECRET}</StringToSign>`,
      ),
    },
  ],
  ["network", "no reply", { end: true }],
  ["network", "half a head", { raw: "HTTP/1.1 200 OK\r\nContent-Le" }],
];

for (const [failure, name, reply, text] of REPLIES) {
  Deno.test(`an S3 reply is understood: ${name}`, async () => {
    await using server = startRawServer(() => reply);
    const bucket = await openRaw(server.endpoint);
    for (const [method, call] of CALLS) {
      if (method === "head" && failure !== "network") continue; // its reply has no body
      const error = await failsWith(failure, call(bucket), [SECRET, "AKIAMINE", "user:pass", "abcdef"]);
      assert.match(error.message, text ?? /Cannot /);
    }
  });
}

Deno.test("an S3 copy that fails after its 200 is a failure", async () => {
  await using server = startRawServer(() => ({ status: 200, body: xml("InternalError", "We failed") }));
  const bucket = await openRaw(server.endpoint);
  await failsWith("server", bucket.copy({ key: "k", size: 1 }, "to"));
});

Deno.test("what an S3 server keeps of a list is told object by object", async () => {
  const said = (key: string, code: string, message: string) =>
    `<Error><Key>${key}</Key><Code>${code}</Code><Message>${message}</Message></Error>`;
  const errors = said("locked", "AccessDenied", "object protected by object lock") +
    said("gone", "NoSuchKey", "") + said("mine", "AccessDenied", "") + said("busy", "InternalError", "");
  const body = `<?xml version="1.0"?><DeleteResult>${errors}</DeleteResult>`;
  await using server = startRawServer(() => ({ status: 200, body }));
  const failures = await (await openRaw(server.endpoint)).remove([{ key: "a" }, { key: "b" }]);
  const found = failures.map(({ key, error }) => [key, error instanceof BucketError ? error.failure : "?"]);
  assert.deepEqual(found, [["locked", "retained"], ["mine", "denied"], ["busy", "server"]]);
});

Deno.test("a HEAD is explained by a GET", async () => {
  await using server = startRawServer(({ method }) => {
    return method === "HEAD" ? { status: 400, body: "" } : { status: 400, body: xml("ExpiredToken") };
  });
  await failsWith("expired_credentials", (await openRaw(server.endpoint)).head("k"));
});

Deno.test("an S3 body that breaks off is an error, never a short object", async () => {
  const head = (length: number) => `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\nETag: "e"\r\n\r\n`;
  for (const sent of ["only this", ""]) {
    await using server = startRawServer(() => ({ raw: `${head(1000)}${sent}` }));
    const bucket = await openRaw(server.endpoint);
    await failsWith("network", bucket.get("k", { maxBytes: 1000 }), [SECRET]);
    const opened = await bucket.open("k");
    await failsWith("network", new Response(opened!.body).bytes(), [SECRET]);
    await failsWith("too_large", bucket.get("k", { maxBytes: 999 }));
  }
  await using chunked = startRawServer(() => ({
    raw: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: "e"\r\n\r\n4\r\nbyte\r\n0\r\n\r\n',
  }));
  await failsWith("unsupported", (await openRaw(chunked.endpoint)).open("k"));
});

Deno.test("an S3 request that is stopped says by whom", async () => {
  await using server = startRawServer(() => ({ hang: true }));
  const bucket = await openRaw(server.endpoint);
  const stop = new AbortController();
  const stopped = bucket.head("k", { signal: stop.signal });
  stop.abort("SIGINT");
  await failsWith("aborted", stopped);
  await failsWith("aborted", bucket.head("k", { signal: stop.signal }));
  await failsWith("timeout", bucket.put("k", bytesOf("x"), { signal: AbortSignal.timeout(30) }));

  await using slow = startRawServer(() => ({
    raw: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
    hang: true,
  }));
  const half = await openRaw(slow.endpoint);
  await failsWith("timeout", half.get("k", { maxBytes: 9, signal: AbortSignal.timeout(100) }));
});

Deno.test("an endpoint that is no URL is told, without showing what may hold a password", async () => {
  const opening = openRaw("https://user:secret@host:no-port");
  await assert.rejects(opening, (error) => {
    assert.ok(error instanceof UsageError, String(error));
    assert.match(error.hint ?? "", /AWS_ENDPOINT_URL/);
    assert.doesNotMatch(`${error.message} ${error.hint} ${JSON.stringify(error.context)}`, /secret/);
    return true;
  });
});

function openRaw(endpoint: string): Promise<Bucket> {
  const environment = clientEnvironment({ endpoint, accessKey: "AKIAMINE", secretKey: SECRET });
  return openS3Bucket({ bucket: "mine", prefix: "" }, { jobs: 1, environment });
}

async function removeAll(bucket: Bucket, keys: readonly string[]): Promise<void> {
  const [failure] = await bucket.remove(keys.map((key) => ({ key })));
  if (failure !== undefined) throw failure.error;
}

function inRegion(): Record<string, string> {
  return { "x-amz-bucket-region": "eu-west-7", "location": "http://127.0.0.1:1/elsewhere" };
}

/** Runs with a clock that is wrong by so many milliseconds. */
async function withClockOff(offsetMs: number, body: () => Promise<unknown>): Promise<void> {
  const RealDate = Date;
  globalThis.Date = class extends RealDate {
    constructor(...args: [] | [number | string | Date]) {
      super(args.length === 0 ? RealDate.now() + offsetMs : args[0]);
    }
    static override now(): number {
      return RealDate.now() + offsetMs;
    }
  } as DateConstructor;
  try {
    await body();
  } finally {
    globalThis.Date = RealDate;
  }
}
