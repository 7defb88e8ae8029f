/** The lock object of a bucket, `.backout/lock`: what it says, and what its age means. */
import { formatJson, isJsonObject } from "#/core/json.ts";
import type { Bucket, BucketObject } from "#/storage/bucket/bucket.ts";
import { BucketError } from "#/storage/bucket/bucket_error.ts";
import type { HolderState, LockHolder } from "#/storage/lock.ts";
import { isHolder, unknownHolder } from "#/storage/lock_identity.ts";

export const LOCK_KEY = ".backout/lock";

/** The lock as it is stored. It is never deleted: some servers ignore conditions on DELETE. */
export interface LeaseRecord extends LockHolder {
  /** `free`: its last holder gave it back, or somebody broke it. */
  readonly state: "held" | "free";
  /** How long after its last renewal nobody else takes it, in milliseconds. */
  readonly lease_ms: number;
  /** How long a request of its holder may be under way, in milliseconds. */
  readonly request_ms: number;
  /** How long after this was written something that an earlier holder sent may still take effect, in milliseconds. */
  readonly pending_ms?: number;
  /** Counts the renewals. */
  readonly beat: number;
  /** Made anew for each acquisition. */
  readonly nonce: string;
  /** It was freed while its lease was still running: the holder may not know yet. */
  readonly broken?: boolean;
}

/** The lock as it was seen. */
export interface SeenLease {
  readonly object: BucketObject;
  /** Undefined when the object is no lock that we understand. */
  readonly record: LeaseRecord | undefined;
  readonly holder: LockHolder;
  /**
   * At least how long ago it was written, in milliseconds, by the service's clock alone: the clocks of writers do not
   * matter. Undefined when the service tells no time.
   */
  readonly ageMs: number | undefined;
}

/** Sane limits for what a record says, in milliseconds; a longer lease is taken for this. */
const MAX_MS = 60 * 60 * 1000;
const MAX_LOCK_BYTES = 64 * 1024;
/** The service tells whole seconds, of its clock and of an object's age. */
const RESOLUTION_MS = 1000;

/** Reads the lock (or another lease of the same form) afresh; undefined when there never was one. */
export async function lookAtLease(
  bucket: Bucket,
  signal?: AbortSignal,
  key = LOCK_KEY,
): Promise<SeenLease | undefined> {
  const options = signal === undefined ? {} : { signal };
  const read = await readLock(bucket, key, options);
  if (read === undefined) return undefined;
  const { object, bytes } = read;
  const text = new TextDecoder().decode(bytes);
  const now = bucket.serverNow();
  const written = Date.parse(object.modified);
  // Each may be rounded down, so up to a second may be missing between them; nothing is younger than just written.
  const ageMs = now === undefined || Number.isNaN(written)
    ? undefined
    : Math.max(0, now - written - RESOLUTION_MS);
  const record = parseRecord(text);
  return { object, record, holder: record ?? unreadable(text, object), ageMs };
}

/** Too large for a lock is as good as unreadable: only its age counts then. */
async function readLock(
  bucket: Bucket,
  key: string,
  options: { readonly signal?: AbortSignal },
): Promise<{ readonly object: BucketObject; readonly bytes: Uint8Array } | undefined> {
  try {
    return await bucket.get(key, { ...options, maxBytes: MAX_LOCK_BYTES });
  } catch (error) {
    if (!(error instanceof BucketError) || error.failure !== "too_large") throw error;
    const object = await bucket.head(key, options);
    return object === undefined ? undefined : { object, bytes: new Uint8Array(0) };
  }
}

/**
 * How much longer nobody may take it, in milliseconds; 0 when anybody may; undefined when that cannot be judged.
 * @param defaultMs the lease of a lock that does not say
 */
export function leaseLeftMs(seen: SeenLease, defaultMs: number): number | undefined {
  if (seen.record?.state === "free") return 0;
  if (seen.ageMs === undefined) return undefined;
  return Math.max(0, sane(seen.record?.lease_ms ?? defaultMs) - seen.ageMs);
}

export function stateOf(seen: SeenLease, defaultMs: number): HolderState {
  const left = leaseLeftMs(seen, defaultMs);
  if (left === undefined) return "unknown";
  return left === 0 ? "dead" : "alive";
}

/** How long after now something that its last holder sent may still take effect, in milliseconds. */
export function pendingMs(seen: SeenLease | undefined, requestMs: number): number {
  if (seen === undefined) return 0;
  const request = Math.max(requestMs, sane(seen.record?.request_ms ?? 0));
  const earlier = sane(seen.record?.pending_ms ?? 0);
  if (seen.record?.state !== "free") return Math.max(request, earlier); // its lease may have ended just now
  const own = seen.record.broken === true ? sane(seen.record.lease_ms) + request : request;
  return Math.max(0, Math.max(own, earlier) - (seen.ageMs ?? 0));
}

export function formatRecord(record: LeaseRecord): Uint8Array {
  return new TextEncoder().encode(formatJson(record));
}

function sane(ms: number): number {
  return Math.min(ms, MAX_MS);
}

function parseRecord(text: string): LeaseRecord | undefined {
  const value = parseObject(text);
  if (value === undefined || !isHolder(value)) return undefined;
  const isRecord = (value.state === "held" || value.state === "free") && typeof value.nonce === "string" &&
    [value.lease_ms, value.request_ms, value.beat].every((it) => typeof it === "number" && it >= 0);
  return isRecord ? value as unknown as LeaseRecord : undefined;
}

/** What can be said of a lock that is none: its holder where it names one, else when it was written. */
function unreadable(text: string, object: BucketObject): LockHolder {
  const value = parseObject(text);
  if (value !== undefined && isHolder(value)) return value as unknown as LockHolder;
  return unknownHolder(object.modified);
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
