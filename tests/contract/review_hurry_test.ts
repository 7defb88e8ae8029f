/** A bucket whose service does not answer, for somebody who waits for the end; and what is waited for before going back. */
import assert from "node:assert/strict";
import type { Bucket, BucketObject } from "#/storage/bucket/bucket.ts";
import { BucketError, type BucketFailure } from "#/storage/bucket/bucket_error.ts";
import { Lease } from "#/storage/lease/lease.ts";
import { ResilientBucket, type ResilientOptions } from "#/storage/bucket/resilient/bucket.ts";

const REQUEST_MS = 60_000;

/** Only the methods that a test asks for. */
function bucketWith(methods: Partial<Bucket>): Bucket {
  return { type: "s3", location: "s3://bucket/a", removeBatch: 1000, ...methods } as Bucket;
}

function resilient(inner: Bucket, options: Partial<ResilientOptions> = {}): ResilientBucket {
  const tools = { sleep: () => Promise.resolve(), random: () => 0 };
  return new ResilientBucket(inner, { lease: new Lease(), requestMs: REQUEST_MS, ...tools, ...options });
}

function failure(kind: BucketFailure): BucketError {
  return new BucketError({ failure: kind, action: "try", location: "s3://bucket/a" });
}

Deno.test("a question that is under way when somebody is in a hurry is asked once more, in a short time", async () => {
  const hurry = new AbortController();
  const asked: boolean[] = [];
  const inner = bucketWith({
    head: (_key, { signal } = {}) => {
      asked.push(hurry.signal.aborted);
      if (asked.length > 1) return Promise.resolve(undefined);
      queueMicrotask(() => hurry.abort("SIGTERM"));
      return new Promise((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason)));
    },
  });
  assert.equal(await resilient(inner, { hurry: hurry.signal }).head("k"), undefined);
  assert.deepEqual(asked, [false, true]);
});

Deno.test("in a hurry there are two attempts, otherwise more", async () => {
  for (const isHurried of [true, false]) {
    const hurry = new AbortController();
    if (isHurried) hurry.abort("SIGTERM");
    let attempts = 0;
    const inner = bucketWith({ head: () => (attempts++, Promise.reject(failure("server"))) });
    await assert.rejects(resilient(inner, { hurry: hurry.signal }).head("k"), BucketError);
    assert.equal(attempts, isHurried ? 2 : 6);
  }
});

Deno.test("in a hurry a change is waited for as ever", async () => {
  const hurry = new AbortController();
  const inner = bucketWith({
    put: async (key, _bytes, { signal } = {}) => {
      hurry.abort("SIGTERM");
      await new Promise((resolve) => setTimeout(resolve, 1));
      assert.equal(signal!.aborted, false);
      return { key, size: 0, tag: "1", contentTag: undefined, versionId: undefined, modified: "" };
    },
  });
  const made: BucketObject = await resilient(inner, { hurry: hurry.signal }).put("k", new Uint8Array());
  assert.equal(made.key, "k");
});

Deno.test("what was given up is waited for, what was answered is not", async () => {
  const cases: readonly (readonly [BucketFailure, boolean])[] = [
    ["timeout", true],
    ["network", true],
    ["server", false],
    ["denied", false],
    ["precondition", false],
  ];
  for (const [kind, isWaited] of cases) {
    let now = 1_000_000;
    const slept: number[] = [];
    const inner = bucketWith({ remove: () => Promise.reject(failure(kind)) });
    const bucket = resilient(inner, {
      now: () => now,
      sleep: (ms) => {
        slept.push(ms);
        return Promise.resolve();
      },
    });
    await assert.rejects(bucket.remove([{ key: "k" }]), BucketError);
    now += 10_000;
    slept.length = 0;
    await bucket.settle();
    assert.deepEqual(slept, isWaited ? [REQUEST_MS - 10_000] : [], kind);
  }
});
