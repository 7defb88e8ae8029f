/** When a request is tried again, with a clock and a chance of the test's own. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { pause } from "#/core/pace.ts";
import { BucketError, type BucketFailure } from "#/storage/bucket/bucket_error.ts";
import { Deadline, withDeadline } from "#/storage/bucket/resilient/deadline.ts";
import { compareKeys } from "#/storage/bucket/resilient/list.ts";
import { removeAll } from "#/storage/bucket/resilient/remove.ts";
import {
  Attempts,
  backoffMs,
  retry,
  RETRY_LIMITS,
  type RetryTools,
} from "#/storage/bucket/resilient/retry.ts";
import "../support/property_seed.ts";

const TRANSIENT: readonly BucketFailure[] = ["throttled", "server", "network", "timeout"];
const FINAL: readonly BucketFailure[] = [
  ...[
    "precondition",
    "aborted",
    "denied",
    "no_credentials",
    "bad_credentials",
    "expired_credentials",
  ] as const,
  ...[
    "missing_bucket",
    "wrong_region",
    "clock_skew",
    "retained",
    "unsupported",
    "too_large",
    "other",
  ] as const,
];

function failure(kind: BucketFailure): BucketError {
  return new BucketError({ failure: kind, action: "read a", location: "s3://bucket" });
}

/** A clock that only moves when somebody sleeps (or says so), with the longest pauses. */
class FakeTime implements RetryTools {
  readonly slept: number[] = [];
  clock = 0;
  readonly random = () => 1;
  readonly now = () => this.clock;
  readonly sleep = (ms: number) => {
    this.slept.push(ms);
    this.clock += ms;
    return Promise.resolve();
  };
}

Deno.test("pauses grow up to their caps, faster when the service asks to slow down", () => {
  const longest = (throttled: boolean) => [1, 2, 3, 4, 5, 6].map((it) => backoffMs(it, throttled, () => 1));
  assert.deepEqual(longest(false), [100, 200, 400, 800, 1600, 2000]);
  assert.deepEqual(longest(true), [100, 400, 1600, 5000, 5000, 5000]);
});

Deno.test("a pause is anything from nothing to the longest", () => {
  assert.equal(backoffMs(4, false, () => 0), 0);
  assert.equal(backoffMs(4, false, () => 0.25), 200);
});

Deno.test("a transient failure is tried again until it works", async () => {
  for (const kind of TRANSIENT) {
    const time = new FakeTime();
    const result = await retry((attempt) => {
      if (attempt < 3) throw failure(kind);
      return Promise.resolve(attempt);
    }, time);
    assert.equal(result, 3);
    assert.equal(time.slept.length, 2);
  }
});

Deno.test("other failures are not tried again, and nothing that is no failure of the bucket", async () => {
  for (const error of [...FINAL.map(failure), new TypeError("a bug")]) {
    const time = new FakeTime();
    let calls = 0;
    await assert.rejects(
      retry(() => {
        calls++;
        return Promise.reject(error);
      }, time),
      (thrown) => thrown === error,
    );
    assert.equal(calls, 1);
  }
});

Deno.test("after the last attempt the last failure comes, with how often it was tried", async () => {
  const time = new FakeTime();
  const thrown: BucketError[] = [];
  const result = retry(() => {
    thrown.push(failure("server"));
    return Promise.reject(thrown.at(-1));
  }, time);
  await assert.rejects(result, (error) => error === thrown.at(-1));
  assert.equal(thrown.length, RETRY_LIMITS.attempts);
  assert.equal(thrown.at(-1)!.context.attempts, RETRY_LIMITS.attempts);
  assert.equal(thrown.at(-1)!.context.failure, "server");
});

Deno.test("no attempt starts after the budget, however many are left", async () => {
  const time = new FakeTime();
  let calls = 0;
  const result = retry(() => {
    calls++;
    time.clock += RETRY_LIMITS.budgetMs / 2;
    return Promise.reject(failure("timeout"));
  }, time);
  await assert.rejects(result, { failure: "timeout" });
  assert.equal(calls, 2);
});

Deno.test("a stopped operation is not tried again", async () => {
  const controller = new AbortController();
  let calls = 0;
  const result = retry(
    () => {
      calls++;
      controller.abort();
      return Promise.reject(failure("network"));
    },
    new FakeTime(),
    controller.signal,
  );
  await assert.rejects(result, { failure: "network" });
  assert.equal(calls, 1);
});

Deno.test("progress gives all attempts back", async () => {
  const time = new FakeTime();
  const attempts = new Attempts(time);
  for (let i = 0; i < 3 * RETRY_LIMITS.attempts; i++) {
    attempts.begin();
    await attempts.pauseAfter(failure("network"));
    if (i % 3 === 2) attempts.reset();
  }
  assert.equal(time.slept.length, 3 * RETRY_LIMITS.attempts);
});

Deno.test("a pause ends when it is stopped", async () => {
  const controller = new AbortController();
  const waiting = pause(3_600_000, controller.signal);
  controller.abort();
  await waiting;
  await pause(3_600_000, controller.signal);
});

const expired = () => new Error("expired");
const aborted = () => new Error("aborted");
const never = () => new Promise<never>(() => {});

Deno.test("a request that never ends is given up at its deadline, even when it does not look at the signal", async () => {
  let seen: AbortSignal | undefined;
  const result = withDeadline({ ms: 20, expired, aborted }, (signal) => {
    seen = signal;
    return never();
  });
  await assert.rejects(result, /expired/);
  assert.equal(seen?.aborted, true);
});

Deno.test("a request that answers just after its deadline still counts", async () => {
  const result = await withDeadline({ ms: 10, expired, aborted }, (signal) => {
    return new Promise<string>((resolve) => signal.addEventListener("abort", () => resolve("done")));
  });
  assert.equal(result, "done");
});

Deno.test("the reason of a given-up request is ours, not what its connection says", async () => {
  const dying = (signal: AbortSignal) => {
    return new Promise<never>((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error("broken pipe")));
    });
  };
  await assert.rejects(withDeadline({ ms: 10, expired, aborted }, dying), /expired/);
  const controller = new AbortController();
  const stopped = withDeadline(
    { ms: 60_000, signals: [undefined, controller.signal], expired, aborted },
    dying,
  );
  controller.abort();
  await assert.rejects(stopped, /aborted/);
});

Deno.test("a request is not begun when it is stopped already", async () => {
  const result = withDeadline({ signals: [AbortSignal.abort()], expired, aborted }, () => {
    throw new Error("begun");
  });
  await assert.rejects(result, /aborted/);
});

Deno.test("progress gives a request its whole time again", async () => {
  using deadline = new Deadline({ ms: 1500, expired, aborted });
  for (let i = 0; i < 4; i++) {
    await pause(500);
    deadline.restart();
  }
  deadline.check();
  assert.equal(deadline.signal.aborted, false);
});

Deno.test("keys are compared as the services sort them: by their bytes", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const order = (a: Uint8Array, b: Uint8Array): number => {
    for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
    return a.length - b.length;
  };
  const text = fc.string({ unit: "binary", maxLength: 4 });
  fc.assert(fc.property(text, text, (a, b) => {
    assert.equal(Math.sign(compareKeys(a, b)), Math.sign(order(bytes(a), bytes(b))));
  }));
  assert.ok(compareKeys("a\u{10000}", "a\uffff") > 0);
});

Deno.test("of many removals only those are tried again that failed for the moment", async () => {
  const time = new FakeTime();
  const asked: string[][] = [];
  const failures = await removeAll(
    ["a", "b", "c", "d"].map((key) => ({ key })),
    new Attempts(time),
    (requests) => {
      asked.push(requests.map((it) => it.key));
      if (asked.length === 1) return Promise.reject(failure("network"));
      const failed = asked.length === 2 ? ["b", "c"] : ["c"];
      return Promise.resolve(
        requests.filter((it) => failed.includes(it.key))
          .map(({ key }) => ({ key, error: failure(key === "b" ? "denied" : "throttled") })),
      );
    },
  );
  assert.deepEqual(asked, [["a", "b", "c", "d"], ["a", "b", "c", "d"], ["c"], ["c"], ["c"], ["c"]]);
  assert.deepEqual(failures.map((it) => [it.key, (it.error as BucketError).failure]), [
    ["b", "denied"],
    ["c", "throttled"],
  ]);
  assert.equal((failures[1]!.error as BucketError).context.attempts, RETRY_LIMITS.attempts);
});
