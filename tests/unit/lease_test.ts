/** The lease: how long this process may still change the storage. */
import assert from "node:assert/strict";
import { UnfinishedOperationError } from "#/core/errors.ts";
import { Lease } from "#/storage/lease/lease.ts";
import { LeaseWatch, usableMs } from "#/storage/lease/watch.ts";

/** A moment `steady` and `wall` milliseconds ago. */
function ago(steady: number, wall = steady): ReturnType<typeof Lease.now> {
  const now = Lease.now();
  return { steady: now.steady - steady, wall: now.wall - wall };
}

Deno.test("without a lease nothing is limited", () => {
  const lease = new Lease();
  assert.equal(lease.isHeld, false);
  assert.equal(lease.remainingMs(), undefined);
  assert.equal(usableMs(lease), undefined);
  lease.assertHeld();
});

Deno.test("a lease counts from the moment before it was asked for", () => {
  const lease = new Lease();
  lease.begin(ago(400), 60_000);
  assert.equal(lease.isHeld, true);
  assert.ok(lease.remainingMs()! <= 59_600);
  assert.ok(lease.remainingMs()! > 0);
  lease.assertHeld();
});

Deno.test("a lease runs out by whichever clock went further, and comes back when it is prolonged", () => {
  for (const since of [ago(60_000, 0), ago(0, 60_000), ago(60_000)]) {
    const lease = new Lease();
    lease.begin(since, 60_000);
    assert.equal(lease.remainingMs(), 0);
    assert.throws(() => lease.assertHeld(), UnfinishedOperationError);
    lease.extend(Lease.now(), 60_000);
    lease.assertHeld();
  }
});

Deno.test("a wall clock that was set back does not make a lease longer", () => {
  const lease = new Lease();
  lease.begin(ago(50_000, -3_600_000), 60_000);
  assert.ok(lease.remainingMs()! <= 10_000);
});

Deno.test("a lost lease never comes back, tells why, and stops what is under way", () => {
  const lease = new Lease();
  lease.begin(Lease.now(), 60_000);
  const signal = lease.lossSignal;
  lease.lose("bob has it");
  lease.lose("another reason");
  lease.extend(Lease.now(), 60_000);
  assert.equal(signal.aborted, true);
  assert.equal(lease.isLost, true);
  assert.equal(lease.remainingMs(), 0);
  assert.throws(
    () => lease.assertHeld(),
    /The lock was lost \(bob has it\): this process changes nothing more/,
  );
});

Deno.test("a new lease does not inherit the loss of the one before", () => {
  const lease = new Lease();
  lease.begin(Lease.now(), 60_000);
  lease.lose("bob has it");
  lease.begin(Lease.now(), 60_000);
  lease.assertHeld();
  assert.equal(lease.lossSignal.aborted, false);
  lease.end();
  assert.equal(lease.remainingMs(), undefined);
});

Deno.test("renewing asks the lock, once it is held", async () => {
  const lease = new Lease();
  let asked = 0;
  await lease.renew();
  lease.begin(ago(60_000), 60_000, () => {
    asked++;
    lease.extend(Lease.now(), 60_000);
    return Promise.resolve();
  });
  await lease.renew();
  assert.equal(asked, 1);
  lease.assertHeld();
  lease.end();
  await lease.renew();
  assert.equal(asked, 1);
});

Deno.test("of a lease a tenth, and at least 50 ms, is not used", () => {
  const lease = new Lease();
  lease.begin(Lease.now(), 60_000);
  assert.ok(usableMs(lease)! <= 54_000);
  lease.begin(ago(59_960), 60_000);
  assert.equal(usableMs(lease), 0);
});

Deno.test("the watch of a lease aborts before it has run out", async () => {
  const lease = new Lease();
  lease.begin(Lease.now(), 300);
  using watch = new LeaseWatch(lease);
  assert.equal(watch.signal.aborted, false);
  await new Promise((resolve) => watch.signal.addEventListener("abort", resolve));
  assert.equal(usableMs(lease), 0);
});

Deno.test("the watch of a lease goes on while it is prolonged", async () => {
  const lease = new Lease();
  lease.begin(Lease.now(), 300);
  using watch = new LeaseWatch(lease);
  lease.extend(Lease.now(), 60_000);
  await new Promise((resolve) => setTimeout(resolve, 400));
  assert.equal(watch.signal.aborted, false);
});
