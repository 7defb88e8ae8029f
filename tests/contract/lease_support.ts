/** Workers with a lock and a store of their own, for the tests of the lock of a bucket. */
import type { Bucket } from "#/storage/bucket/bucket.ts";
import { Lease } from "#/storage/lease/lease.ts";
import { LeaseLock } from "#/storage/lease/lock.ts";
import { type LeaseRecord, LOCK_KEY } from "#/storage/lease/record.ts";
import type { LockRequest } from "#/storage/lock.ts";
import { readIdentity } from "#/storage/lock_identity.ts";
import { ResilientBucket } from "#/storage/bucket/resilient/bucket.ts";
import { pause } from "#/core/pace.ts";
import type { ProxiedRequest } from "../support/servers/fault_proxy.ts";
import { textAt } from "./resilient_support.ts";

export const LEASE_MS = 1000;
export const REQUEST_MS = 1500;
/** For waiting that has to succeed. */
export const LONG_MS = 60_000;
export const HOURS = 3_600_000;

/** One process that works with a place: its lock, and a store that shares the lease. */
export interface Worker {
  readonly lock: LeaseLock;
  readonly lease: Lease;
  readonly store: Bucket;
}

export function workerOn(bucket: Bucket, options: { leaseMs?: number; requestMs?: number } = {}): Worker {
  const { leaseMs = LEASE_MS, requestMs = REQUEST_MS } = options;
  const lease = new Lease();
  const unleased = new ResilientBucket(bucket, { lease: new Lease(), requestMs });
  return {
    lease,
    lock: new LeaseLock(unleased, lease, { leaseMs, requestMs }),
    store: new ResilientBucket(bucket, { lease, requestMs }),
  };
}

export function request(changes: Partial<LockRequest> = {}): LockRequest {
  return {
    id: crypto.randomUUID(),
    operation: "rollback v1.0.2",
    by: "alice",
    reason: "bad build",
    now: () => new Date(),
    timeoutMs: 0,
    ...changes,
  };
}

export const DEAD: LeaseRecord = {
  ...{ id: "1", operation: "publish v2", by: "bob", ...readIdentity(), host: "elsewhere", advisory: false },
  ...{ since: "2026-01-02T03:02:05.000Z", reason: "new", state: "held", beat: 3, nonce: "n" },
  ...{ lease_ms: LEASE_MS, request_ms: REQUEST_MS },
};

export async function recordAt(bucket: Bucket): Promise<LeaseRecord> {
  return JSON.parse(await textAt(bucket, LOCK_KEY) ?? "null");
}

export function isForLock(seen: ProxiedRequest): boolean {
  return decodeURIComponent(seen.path).includes(LOCK_KEY);
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!await condition()) await pause(20);
}
