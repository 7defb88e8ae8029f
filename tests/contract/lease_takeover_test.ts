/** Taking the lock of a bucket from a dead holder, by the service's clock alone, or breaking it by force. */
import assert from "node:assert/strict";
import { InterruptedError, LockedError, UnfinishedOperationError } from "#/core/errors.ts";
import { formatJson } from "#/core/json.ts";
import { formatRecord, type LeaseRecord, LOCK_KEY } from "#/storage/lease/record.ts";
import { pause } from "#/core/pace.ts";
import { testRequiring } from "../support/require.ts";
import {
  DEAD,
  HOURS,
  LEASE_MS,
  LONG_MS,
  recordAt,
  request,
  REQUEST_MS,
  until,
  type Worker,
  workerOn,
} from "./lease_support.ts";
import { bytesOf, openPlace, type Place, type Service, SERVICES } from "./resilient_support.ts";

/** The services tell whole seconds, so that a second more has to pass before a lease has ended for sure. */
const RESOLUTION_MS = 1000;

/** How long before a lock was taken its dead holder had renewed it, by the service's clock. */
async function takeOver(place: Place, dead: LeaseRecord | string, worker: Worker): Promise<number> {
  const bytes = typeof dead === "string" ? bytesOf(dead) : formatRecord(dead);
  const before = await place.direct.put(LOCK_KEY, bytes);
  const written = (await place.direct.head(LOCK_KEY))!.modified;
  await assert.rejects(worker.lock.acquire(request()), LockedError);
  await using held = await worker.lock.acquire(request({ timeoutMs: LONG_MS }));
  assert.equal(held.isDeathCertain, false);
  assert.notEqual(held.takenFrom, undefined);
  const record = await place.direct.get(LOCK_KEY, { maxBytes: 1 << 16 });
  assert.notEqual(record!.object.tag, before.tag);
  return Date.parse(record!.object.modified) - Date.parse(written);
}

async function takingOver(t: Deno.TestContext, service: Service): Promise<void> {
  await t.step("a dead holder's lock is taken when its own lease has ended, not the taker's", async () => {
    await using place = await openPlace(service);
    const worker = workerOn(place.direct, { leaseMs: 10 });
    assert.ok(await takeOver(place, { ...DEAD, lease_ms: 2000 }, worker) >= 2000 + RESOLUTION_MS);
  });

  for (const wrongByMs of [5 * HOURS, -5 * HOURS]) {
    await t.step(`a clock that is wrong by ${wrongByMs / HOURS} hours does not matter`, async () => {
      await using place = await openPlace(service);
      const realNow = Date.now;
      Date.now = () => realNow() + wrongByMs;
      try {
        const worker = workerOn(await place.open({ wrongByMs, endpoint: service.endpoint }));
        assert.ok(await takeOver(place, DEAD, worker) >= LEASE_MS + RESOLUTION_MS);
      } finally {
        Date.now = realNow;
      }
    });
  }

  await t.step("a clock that is set while the lock is held does not matter", async () => {
    await using place = await openPlace(service);
    const { lock, store } = workerOn(place.direct);
    await using held = await lock.acquire(request());
    const realNow = Date.now;
    try {
      for (const wrongByMs of [5 * 60_000, -5 * 60_000]) { // the services accept signatures for a while
        Date.now = () => realNow() + wrongByMs;
        await store.put(`data${wrongByMs}`, bytesOf("mine"));
        await assert.rejects(workerOn(place.direct).lock.acquire(request()), LockedError);
      }
    } finally {
      Date.now = realNow;
    }
    await pause(2 * LEASE_MS);
    await store.put("data", bytesOf("mine"));
    assert.equal((await recordAt(place.direct)).id, held.holder.id);
  });

  await t.step("a lock that cannot be read is judged by its age", async () => {
    const { state: _s, lease_ms: _l, request_ms: _r, beat: _b, nonce: _n, ...fileLock } = DEAD;
    const texts = ["garbage", "", "x".repeat(100_000), formatJson(fileLock)];
    await Promise.all(texts.map(async (text) => {
      await using place = await openPlace(service);
      const worker = workerOn(place.direct);
      await place.direct.put(LOCK_KEY, bytesOf(text));
      const seen = await worker.lock.inspect();
      assert.equal(seen?.state, "alive");
      const isNamed = text.startsWith("{");
      assert.equal(
        seen?.holder.operation,
        isNamed ? "publish v2" : "an operation that left no readable lock",
      );
      await assert.rejects(worker.lock.acquire(request()), {
        hint: /the lock cannot be read; its age counts/,
      });
      assert.ok(await takeOver(place, text, worker) >= LEASE_MS + RESOLUTION_MS);
    }));
  });

  await t.step("a lease of absurd length is taken for an hour", async () => {
    await using place = await openPlace(service);
    await place.direct.put(LOCK_KEY, formatRecord({ ...DEAD, lease_ms: 1e15 }));
    await assert.rejects(workerOn(place.direct).lock.acquire(request()), (error) => {
      assert.ok(error instanceof LockedError);
      assert.ok(Number(error.context.lease_left_ms) <= HOURS);
      return true;
    });
  });

  await t.step("after taking over, what the dead holder may still have sent is waited for", async () => {
    await using place = await openPlace(service);
    const { lock } = workerOn(place.direct, { requestMs: 500 });
    await place.direct.put(LOCK_KEY, formatRecord({ ...DEAD, lease_ms: 0, request_ms: REQUEST_MS }));
    await using held = await lock.acquire(request({ timeoutMs: LONG_MS }));
    const begun = performance.now();
    await held.outwait();
    assert.ok(performance.now() - begun >= REQUEST_MS - 100);
    await held.outwait(); // at once
  });

  await t.step(
    "a lock that was given back just now may have requests under way too, one of long ago not",
    async () => {
      await using place = await openPlace(service);
      const { lock } = workerOn(place.direct);
      const begun = performance.now();
      await (await lock.acquire(request()))[Symbol.asyncDispose]();
      {
        await using held = await lock.acquire(request());
        await assert.rejects(held.outwait(AbortSignal.abort("SIGTERM")), InterruptedError);
        await held.outwait();
        assert.ok(performance.now() - begun >= REQUEST_MS);
      }
      await pause(REQUEST_MS + 2000); // the service tells whole seconds
      await using held = await lock.acquire(request());
      const stopped = new AbortController();
      const timer = setTimeout(() => stopped.abort("SIGTERM"), 0);
      await held.outwait(stopped.signal); // without a pause there is nothing to stop
      clearTimeout(timer);
    },
  );
}

async function breaking(t: Deno.TestContext, service: Service): Promise<void> {
  await t.step("the lock of a living holder is broken by force only, and the holder finds out", async () => {
    await using place = await openPlace(service);
    const { lock, lease, store } = workerOn(place.proxied);
    await using held = await lock.acquire(request());
    const other = workerOn(place.direct);
    await assert.rejects(other.lock.breakLock({ force: false }), LockedError);
    assert.deepEqual(await other.lock.breakLock({ force: true }), held.holder);
    assert.equal(await other.lock.inspect(), undefined);
    assert.equal((await recordAt(place.direct)).broken, true);
    await until(() => lease.isLost);
    await assert.rejects(
      store.put("data", bytesOf("mine")),
      /The lock was lost \(it was removed by `backout unlock`\)/,
    );
    {
      await using next = await other.lock.acquire(request());
      assert.equal(next.takenFrom, undefined);
      assert.equal(next.isDeathCertain, false);
    }
    assert.equal((await recordAt(place.direct)).broken, undefined);
  });

  await t.step("the lock of a dead holder is broken without force", async () => {
    await using place = await openPlace(service);
    const { lock } = workerOn(place.direct);
    await place.direct.put(LOCK_KEY, formatRecord({ ...DEAD, lease_ms: 0 }));
    await until(async () => (await lock.inspect())?.state === "dead");
    assert.equal((await lock.breakLock({ force: false }))?.id, DEAD.id);
    assert.equal(await lock.inspect(), undefined);
    assert.equal((await recordAt(place.direct)).broken, undefined);
    await using held = await lock.acquire(request());
    assert.equal(held.takenFrom, undefined);
  });

  await t.step("a holder whose lock object was removed stops", async () => {
    await using place = await openPlace(service);
    const { lock, lease, store } = workerOn(place.proxied);
    await using _held = await lock.acquire(request());
    await place.direct.remove([{ key: LOCK_KEY }]);
    await until(() => lease.isLost);
    await assert.rejects(store.put("data", bytesOf("mine")), UnfinishedOperationError);
  });
}

for (const { name, needs, start } of SERVICES) {
  testRequiring(needs, `the lock of ${name} is taken over and broken`, async (t) => {
    await using service = await start();
    await takingOver(t, service);
    await breaking(t, service);
  });
}
