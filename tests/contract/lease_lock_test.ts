/** The lock of a bucket, on real services: one holder at a time, whatever happens to it and to its requests. */
import assert from "node:assert/strict";
import { InterruptedError, LockedError, UnfinishedOperationError } from "#/core/errors.ts";
import { LOCK_KEY } from "#/storage/lease/record.ts";
import type { LockHolder } from "#/storage/lock.ts";
import { pause } from "#/core/pace.ts";
import { testRequiring } from "../support/require.ts";
import { type FaultAction, PASS } from "../support/servers/fault_proxy.ts";
import { isForLock, LEASE_MS, LONG_MS, recordAt, request, until, workerOn } from "./lease_support.ts";
import {
  breakFirst,
  bytesOf,
  countOf,
  openPlace,
  type Service,
  SERVICES,
  textAt,
} from "./resilient_support.ts";

async function taking(t: Deno.TestContext, service: Service): Promise<void> {
  await t.step("a free lock is taken, shown, and given back; its object stays", async () => {
    await using place = await openPlace(service);
    const { lock, lease } = workerOn(place.proxied);
    assert.equal(await lock.inspect(), undefined);
    assert.equal(await lock.breakLock({ force: true }), undefined);
    for (let i = 0; i < 2; i++) {
      {
        await using held = await lock.acquire(request());
        assert.equal(held.takenFrom, undefined);
        assert.equal(held.isDeathCertain, true);
        assert.equal(held.holder.by, "alice");
        assert.deepEqual(await lock.inspect(), { holder: held.holder, state: "alive" });
        assert.equal((await recordAt(place.direct)).state, "held");
        assert.equal(lease.isHeld, true);
        if (i === 0) await held.outwait(); // nobody ever had it
      }
      assert.equal(lease.isHeld, false);
      assert.equal(await lock.inspect(), undefined);
      const record = await recordAt(place.direct);
      assert.equal(record.state, "free");
      assert.equal(record.by, "alice");
    }
  });

  await t.step("who comes second is told who holds it, and until when", async () => {
    await using place = await openPlace(service);
    await using held = await workerOn(place.direct).lock.acquire(request());
    const result = workerOn(place.proxied).lock.acquire(request({ operation: "publish v3" }));
    await assert.rejects(result, (error) => {
      assert.ok(error instanceof LockedError);
      assert.match(
        error.message,
        /^Cannot publish v3: locked by rollback v1\.0\.2 by alice@.* reason: bad build$/,
      );
      assert.match(
        error.hint!,
        /^Its lease ends in \d+ s unless it is renewed; --lock-timeout waits for it\.$/,
      );
      assert.deepEqual(error.context.holder, { ...held.holder });
      return true;
    });
  });

  await t.step("who waits is told once, and gets it when it is given back", async () => {
    await using place = await openPlace(service);
    const first = await workerOn(place.direct).lock.acquire(request());
    const told: LockHolder[] = [];
    const onWait = (holder: LockHolder) => told.push(holder);
    const waiting = workerOn(place.proxied).lock.acquire(request({ timeoutMs: LONG_MS, onWait }));
    await until(() => countOf(place.proxy, "get") >= 3);
    assert.equal(told.length, 1);
    assert.equal(told[0]!.id, first.holder.id);
    await first[Symbol.asyncDispose]();
    await using second = await waiting;
    assert.equal(second.takenFrom, undefined);
  });

  await t.step("who waits can be stopped", async () => {
    await using place = await openPlace(service);
    await using _held = await workerOn(place.direct).lock.acquire(request());
    const controller = new AbortController();
    const onWait = () => controller.abort("SIGINT");
    const waiting = workerOn(place.proxied).lock.acquire(
      request({ timeoutMs: LONG_MS, signal: controller.signal, onWait }),
    );
    await assert.rejects(waiting, InterruptedError);
  });

  await t.step("of sixteen who want it at once one has it at a time", async () => {
    await using place = await openPlace(service);
    let inside = 0;
    let most = 0;
    await Promise.all(Array.from({ length: 16 }, async (_, i) => {
      const { lock, store } = workerOn(await place.open());
      await using _held = await lock.acquire(request({ by: `racer ${i}`, timeoutMs: LONG_MS }));
      most = Math.max(most, ++inside);
      await store.put("turn", bytesOf(`racer ${i}`));
      await pause(20);
      assert.equal(await textAt(store, "turn"), `racer ${i}`);
      inside--;
    }));
    assert.equal(most, 1);
  });
}

async function keeping(t: Deno.TestContext, service: Service): Promise<void> {
  await t.step("the heartbeat keeps it beyond the length of its lease", async () => {
    await using place = await openPlace(service);
    const { lock, lease, store } = workerOn(place.proxied, { leaseMs: 2 * LEASE_MS });
    await using held = await lock.acquire(request());
    const acquired = (await place.direct.head(LOCK_KEY))!;
    await until(async () => {
      await assert.rejects(workerOn(place.direct).lock.acquire(request()), LockedError);
      lease.assertHeld();
      await pause(200);
      return place.direct.serverNow()! - Date.parse(acquired.modified) > 6 * LEASE_MS;
    });
    await store.put("data", bytesOf("mine"));
    const record = await recordAt(place.direct);
    assert.equal(record.id, held.holder.id);
    assert.ok(record.beat >= 4, `${record.beat} renewals`);
  });

  await t.step("after giving it back nothing is renewed any more", async () => {
    await using place = await openPlace(service);
    await (await workerOn(place.proxied).lock.acquire(request()))[Symbol.asyncDispose]();
    place.proxy.clearLog();
    await pause(LEASE_MS);
    assert.deepEqual(place.proxy.log, []);
  });

  await t.step(
    "a holder without its heartbeat changes nothing more before another may take the lock",
    async () => {
      await using place = await openPlace(service);
      const { lock, lease, store } = workerOn(place.proxied);
      const held = await lock.acquire(request());
      const events: string[] = [];
      const afterReply = () => void events.push("changed");
      place.proxy.onRequest = (seen) => {
        if (isForLock(seen)) return { kind: "reset_before" };
        return seen.kind === "put" ? { kind: "pass", afterReply } : PASS;
      };
      const writing = (async () => {
        for (let i = 0;; i++) await store.put(`data-${i % 10}`, bytesOf("mine"));
      })().catch((error) => error);
      const taker = workerOn(place.direct);
      await using taken = await taker.lock.acquire(request({ by: "bob", timeoutMs: LONG_MS }));
      assert.equal(lease.remainingMs(), 0, "both had it");
      events.push("taken");
      assert.ok(await writing instanceof UnfinishedOperationError);
      assert.ok(events.includes("changed"), "it never changed anything");
      assert.equal(events.at(-1), "taken", "it changed something afterwards");
      assert.equal(taken.takenFrom?.id, held.holder.id);
      assert.equal(taken.isDeathCertain, false);

      place.proxy.onRequest = () => PASS; // it sees the service again, and who has the lock
      await until(() => lease.isLost);
      await assert.rejects(store.put("late", bytesOf("mine")), /The lock was lost \(it was taken: .*bob/);
      assert.equal(await place.direct.head("late"), undefined);
      await held[Symbol.asyncDispose]();
      assert.equal((await recordAt(place.direct)).id, taken.holder.id, "a lost lock was given back");
      await assert.rejects(store.put("late", bytesOf("mine")), UnfinishedOperationError);
      await taker.store.put("data", bytesOf("his"));
    },
  );

  await t.step("a holder that lost it can take it again, whether it has found out or not", async () => {
    for (const knows of [true, false]) {
      await using place = await openPlace(service);
      const { lock, lease, store } = workerOn(place.proxied);
      const first = await lock.acquire(request());
      await workerOn(place.direct).lock.breakLock({ force: true });
      if (knows) await until(() => lease.isLost);
      await using second = await lock.acquire(request());
      await pause(LEASE_MS); // the first one's heartbeat would have looked by now
      await first[Symbol.asyncDispose]();
      await store.put("data", bytesOf("mine"));
      assert.equal((await recordAt(place.direct)).id, second.holder.id);
      assert.equal((await recordAt(place.direct)).state, "held");
    }
  });

  await t.step("a holder that was cut off goes on when nobody took the lock meanwhile", async () => {
    await using place = await openPlace(service);
    const { lock, lease, store } = workerOn(place.proxied);
    await using _held = await lock.acquire(request());
    place.proxy.onRequest = (seen) => isForLock(seen) ? { kind: "reset_before" } : PASS;
    await until(() => lease.remainingMs() === 0);
    await assert.rejects(store.put("data", bytesOf("mine")), UnfinishedOperationError);
    assert.equal(lease.isLost, false);
    place.proxy.onRequest = () => PASS;
    await until(() => store.put("data", bytesOf("mine")).then(() => true, () => false));
    lease.assertHeld();
  });

  await t.step("replies that get lost while it is taken, kept and given back change nothing", async () => {
    const actions: readonly FaultAction[] = [
      { kind: "lose_reply" },
      { kind: "duplicate" },
      { kind: "refuse", status: 500, forward: true },
      { kind: "reset_in_reply" },
    ];
    await Promise.all(actions.map(async (action) => {
      await using place = await openPlace(service);
      const { lock, lease, store } = workerOn(place.proxied, { leaseMs: 3000 });
      breakFirst(place.proxy, "put", action);
      const held = await lock.acquire(request());
      assert.equal(held.takenFrom, undefined);
      const { nonce } = await recordAt(place.direct);
      breakFirst(place.proxy, "put", action);
      await until(async () => (await recordAt(place.direct)).beat >= 2);
      assert.equal((await recordAt(place.direct)).nonce, nonce);
      await store.put("data", bytesOf("mine"));
      breakFirst(place.proxy, "put", action);
      await held[Symbol.asyncDispose]();
      assert.equal((await recordAt(place.direct)).state, "free");
      assert.equal(lease.isHeld, false);
      await using _next = await workerOn(place.direct).lock.acquire(request());
    }));
  });
}

for (const { name, needs, start } of SERVICES) {
  testRequiring(needs, `the lock of ${name} is taken, kept and given back`, async (t) => {
    await using service = await start();
    await taking(t, service);
    await keeping(t, service);
  });
}
