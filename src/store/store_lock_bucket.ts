/**
 * The lock of a store in a bucket: an object below `locks/` for each holder, with a lease that its holder renews.
 *
 * A taker first writes its own object and then looks at all others. Listings show what was written before, so of two
 * takers that must not meet at least one sees the other; it takes its object away and tries later. Of a holder that is
 * dead, or silent for longer than its lease, the object is first marked free (a conditional write, so that the holder
 * cannot go on unseen); then as long is waited as something that it sent may still take effect.
 */
import { type LockedError, StorageError } from "#/core/errors.ts";
import { pause, throwIfStopped } from "#/core/pace.ts";
import { BucketError } from "#/storage/bucket/bucket_error.ts";
import { Heart } from "#/storage/lease/heart.ts";
import { Lease } from "#/storage/lease/lease.ts";
import {
  formatRecord,
  leaseLeftMs,
  type LeaseRecord,
  lookAtLease,
  type SeenLease,
} from "#/storage/lease/record.ts";
import { readIdentity } from "#/storage/lock_identity.ts";
import type { StoreLockPlace } from "./backend.ts";
import type { FullLockRequest, HeldStoreLock, StoreLockMode, StoreLockRecord } from "./store_lock.ts";
import { describeAll, isDeadHere, storeLockedError } from "./store_lock_record.ts";

const FOLDER = "locks/";
const POLL_MIN_MS = 100;
const POLL_MAX_MS = 2000;
/** Left of a lease that is asked for before something important is written, in milliseconds; of a short one the half. */
const WANTED_MS = 10_000;

/** What this process holds with one lease: several writers share it. */
interface Holding {
  readonly mode: StoreLockMode;
  readonly heart: Heart;
  readonly key: string;
  readonly record: StoreLockRecord;
  count: number;
}

const holdings = new WeakMap<Lease, Holding>();
/** One attempt at a time for each lease: two would begin two leases. */
const attempts = new WeakMap<Lease, Promise<unknown>>();

/** Somebody else's object. */
interface Other {
  readonly key: string;
  readonly seen: SeenLease;
  readonly record: StoreLockRecord;
  readonly isDead: boolean;
  /** How long something that it sent may still take effect, in milliseconds from now. */
  readonly pendingMs: number;
}

export async function lockBucketStore(
  place: StoreLockPlace,
  mode: StoreLockMode,
  request: FullLockRequest,
): Promise<HeldStoreLock> {
  const until = performance.now() + request.timeoutMs;
  let isTold = false;
  for (;;) {
    throwIfStopped(request.signal);
    const outcome = await inTurn(place.lease, () => tryOnce(place, mode, request));
    if ("holding" in outcome) return held(place, outcome.holding);
    const left = until - performance.now();
    if (left <= 0) throw locked(place, mode, request, outcome.inTheWay);
    if (!isTold) request.onWait?.(describeAll(outcome.inTheWay));
    isTold = true;
    await pause(Math.min(left, POLL_MIN_MS + Math.random() * (POLL_MAX_MS - POLL_MIN_MS)), request.signal);
  }
}

type Outcome = { readonly holding: Holding } | { readonly inTheWay: readonly StoreLockRecord[] };

async function tryOnce(
  place: StoreLockPlace,
  mode: StoreLockMode,
  request: FullLockRequest,
): Promise<Outcome> {
  const mine = holdings.get(place.lease);
  if (mine?.mode === "shared" && mode === "shared") {
    mine.count++;
    return { holding: mine };
  }
  if (mine !== undefined) return { inTheWay: [mine.record] };
  const before = inTheWay(await lookAtOthers(place), mode);
  if (before.some((other) => !other.isDead)) return refused(before);
  const key = `${FOLDER}${crypto.randomUUID()}.json`;
  const holding = await placeObject(place, key, mode, request);
  try {
    const others = inTheWay(await lookAtOthers(place, key), mode);
    if (others.some((other) => !other.isDead) || !await fence(place, others, request)) {
      await release(place, holding);
      return refused(others);
    }
    return { holding };
  } catch (error) {
    await release(place, holding);
    throw error;
  }
}

function inTurn<T>(lease: Lease, work: () => Promise<T>): Promise<T> {
  const run = (attempts.get(lease) ?? Promise.resolve()).then(work);
  attempts.set(lease, run.catch(() => {})); // whoever asked is told
  return run;
}

function refused(others: readonly Other[]): Outcome {
  return { inTheWay: others.filter((other) => !other.isDead).map((other) => other.record) };
}

function inTheWay(others: readonly Other[], mode: StoreLockMode): readonly Other[] {
  return others.filter((other) => mode === "exclusive" || other.record.mode === "exclusive");
}

async function lookAtOthers(place: StoreLockPlace, mine?: string): Promise<readonly Other[]> {
  const keys: string[] = [];
  for await (const page of place.bucket.list({ prefix: FOLDER })) {
    for (const { key } of page.objects) if (key !== mine && key.endsWith(".json")) keys.push(key);
  }
  const others: Other[] = [];
  for (const key of keys) {
    const seen = await lookAtLease(place.bucket, undefined, key);
    if (seen !== undefined && seen.record?.state !== "free") others.push(judge(place, key, seen));
  }
  return others;
}

function judge(place: StoreLockPlace, key: string, seen: SeenLease): Other {
  // What cannot be read may be anybody's, so it counts as the stricter kind until it is old.
  const { mode = "exclusive" } = seen.holder as Partial<StoreLockRecord>;
  const record: StoreLockRecord = { ...seen.holder, mode };
  const requestMs = Math.max(place.requestMs, seen.record?.request_ms ?? 0);
  const leaseMs = seen.record?.lease_ms ?? place.leaseMs;
  if (isDeadHere(record)) return { key, seen, record, isDead: true, pendingMs: requestMs };
  const isDead = leaseLeftMs(seen, place.leaseMs) === 0;
  return { key, seen, record, isDead, pendingMs: Math.max(0, leaseMs + requestMs - (seen.ageMs ?? 0)) };
}

/** Keeps dead holders out for good. False when one of them turned out to live. */
async function fence(
  place: StoreLockPlace,
  dead: readonly Other[],
  { signal }: FullLockRequest,
): Promise<boolean> {
  let pendingMs = 0;
  for (const { key, seen, record, pendingMs: pending } of dead) {
    const { nonce = crypto.randomUUID(), beat = 0 } = seen.record ?? {};
    const { leaseMs, requestMs } = place;
    const free = {
      ...record,
      state: "free",
      lease_ms: leaseMs,
      request_ms: requestMs,
      beat: beat + 1,
      nonce,
    };
    try {
      await place.bucket.put(key, formatRecord(free as LeaseRecord), { condition: { tag: seen.object.tag } });
    } catch (error) {
      if (error instanceof BucketError && error.failure === "precondition") return false;
      throw error;
    }
    pendingMs = Math.max(pendingMs, pending);
  }
  const end = performance.now() + pendingMs;
  for (let left = pendingMs; left > 0; left = end - performance.now()) {
    throwIfStopped(signal);
    await pause(left, signal);
  }
  await removeObjects(place, dead.map((other) => other.key));
  return true;
}

/** Writes the object of a new holder, and begins to renew it. */
async function placeObject(
  place: StoreLockPlace,
  key: string,
  mode: StoreLockMode,
  { operation, by, reason }: FullLockRequest,
): Promise<Holding> {
  const { bucket, lease, leaseMs, requestMs } = place;
  const since = new Date().toISOString();
  const holder: StoreLockRecord = {
    ...{ id: key.slice(FOLDER.length, -".json".length), operation, by, reason, since, mode },
    ...{ ...readIdentity(), advisory: false },
  };
  const record = {
    ...{ ...holder, state: "held", lease_ms: leaseMs, request_ms: requestMs, beat: 0 },
    nonce: crypto.randomUUID(),
  } as LeaseRecord;
  const sent = Lease.now();
  const object = await bucket.put(key, formatRecord(record), { condition: { absent: true } });
  const heart = new Heart(bucket, lease, { record, object, sent }, requestMs, key);
  const holding = { mode, heart, key, record: holder, count: 1 };
  holdings.set(lease, holding);
  return holding;
}

function held(place: StoreLockPlace, holding: Holding): HeldStoreLock {
  let releasing: Promise<void> | undefined;
  return {
    mode: holding.mode,
    assertHeld: () => assertHeld(place),
    [Symbol.asyncDispose]: () => releasing ??= release(place, holding),
  };
}

async function assertHeld({ lease, leaseMs }: StoreLockPlace): Promise<void> {
  if ((lease.remainingMs() ?? 0) < Math.min(WANTED_MS, leaseMs / 2) && !lease.isLost) await lease.renew();
  if (lease.isHeld) {
    const problem = lease.problem();
    if (problem === undefined) return;
    throw storeLockLost(problem);
  }
  throw storeLockLost(undefined);
}

/** Who sleeps for longer than its lease begins anew: others may have collected what it was going to refer to. */
export function storeLockLost(cause: unknown): StorageError {
  return new StorageError(
    "The lock on the snapshot store was lost while this process slept: nothing was recorded",
    {
      hint: "Run the command again: what was stored already is not stored twice.",
      cause,
    },
  );
}

async function release(place: StoreLockPlace, holding: Holding): Promise<void> {
  if (--holding.count > 0) return;
  if (holdings.get(place.lease) === holding) holdings.delete(place.lease);
  const isLost = place.lease.isLost;
  await holding.heart.release();
  place.lease.end();
  // Free already; only what is left over is removed. Not being able to is no failure: it is of no effect.
  if (!isLost) await removeObjects(place, [holding.key]).catch(() => {});
}

async function removeObjects({ bucket }: StoreLockPlace, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  const failures = await bucket.remove(keys.map((key) => ({ key })));
  if (failures.length > 0) throw failures[0]!.error;
}

function locked(
  place: StoreLockPlace,
  mode: StoreLockMode,
  request: FullLockRequest,
  holders: readonly StoreLockRecord[],
): LockedError {
  return storeLockedError(place.bucket.location, mode, request, holders);
}
