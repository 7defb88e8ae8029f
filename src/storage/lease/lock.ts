/**
 * The lock of a scope in a bucket: a lease on the object `.backout/lock`, kept by a heartbeat (`heart.ts`).
 *
 * Every step is one conditional write, so that of many takers one succeeds. Whether a lease has run out is judged by the
 * service's clock alone. A holder counts its lease from before it asked for it and a taker from after it was written, so
 * the holder always stops first.
 */
import { LockedError } from "#/core/errors.ts";
import { pause, throwIfStopped } from "#/core/pace.ts";
import type { Bucket, WriteCondition } from "#/storage/bucket/bucket.ts";
import { BucketError } from "#/storage/bucket/bucket_error.ts";
import { Lease } from "./lease.ts";
import { Heart } from "./heart.ts";
import {
  formatRecord,
  leaseLeftMs,
  type LeaseRecord,
  LOCK_KEY,
  lookAtLease,
  pendingMs,
  type SeenLease,
  stateOf,
} from "./record.ts";
import type { HeldLock, HolderState, LockHolder, LockRequest, ScopeLock } from "#/storage/lock.ts";
import { type LockIdentity, readIdentity } from "#/storage/lock_identity.ts";
import { describeHolder, lockedError } from "#/storage/lock_messages.ts";

export interface LeaseLockOptions {
  /** How long the lock is ours after each renewal, in milliseconds. */
  readonly leaseMs: number;
  /** How long a changing request of this process may be under way, in milliseconds. */
  readonly requestMs: number;
  /** Who takes the lock (tests only; this process by default). */
  readonly identity?: LockIdentity;
}

const POLL_MIN_MS = 100;
const POLL_MAX_MS = 2000;
/** A holder that renews at that very moment makes breaking its lock fail, but not so often. */
const BREAK_TRIES = 10;

export class LeaseLock implements ScopeLock {
  readonly #bucket: Bucket;
  readonly #lease: Lease;
  readonly #leaseMs: number;
  readonly #requestMs: number;
  readonly #identity: LockIdentity;
  #heart: Heart | undefined;

  /**
   * @param bucket with retries, but not limited by the lease itself, and not stopped by the user's signal: a lock that
   *   was taken or given back half has to be waited for by everybody else
   * @param lease what this lock holds: one at a time
   */
  constructor(bucket: Bucket, lease: Lease, options: LeaseLockOptions) {
    this.#bucket = bucket;
    this.#lease = lease;
    this.#leaseMs = options.leaseMs;
    this.#requestMs = options.requestMs;
    this.#identity = options.identity ?? readIdentity();
  }

  async acquire(request: LockRequest): Promise<HeldLock> {
    const until = performance.now() + request.timeoutMs;
    for (let waits = 0;;) {
      throwIfStopped(request.signal);
      const seen = await this.#look(request.signal);
      if (seen === undefined || leaseLeftMs(seen, this.#leaseMs) === 0) {
        const held = await this.#take(request, seen);
        if (held !== undefined) return held;
        continue; // somebody else was faster, or it was renewed just now
      }
      const left = until - performance.now();
      if (left <= 0) throw this.#locked(seen, request);
      if (waits++ === 0) request.onWait?.(seen.holder);
      await pause(Math.min(left, this.#pollMs()), request.signal);
    }
  }

  async inspect(): Promise<{ readonly holder: LockHolder; readonly state: HolderState } | undefined> {
    const seen = await lookAtLease(this.#bucket);
    if (seen === undefined || seen.record?.state === "free") return undefined;
    return { holder: holderOf(seen.holder), state: stateOf(seen, this.#leaseMs) };
  }

  async breakLock(options: { force: boolean }): Promise<LockHolder | undefined> {
    for (let tries = 1;; tries++) {
      const seen = await lookAtLease(this.#bucket);
      if (seen === undefined || seen.record?.state === "free") return undefined;
      const state = stateOf(seen, this.#leaseMs);
      const holder = holderOf(seen.holder);
      if (state !== "dead" && !options.force) throw this.#unbreakable(seen, state);
      if (await this.#free(seen, state)) return holder;
      if (tries === BREAK_TRIES) throw this.#unbreakable(seen, state);
    }
  }

  async #look(signal: AbortSignal | undefined): Promise<SeenLease | undefined> {
    try {
      return await lookAtLease(this.#bucket, signal);
    } catch (error) {
      throwIfStopped(signal);
      throw error;
    }
  }

  /** Undefined when somebody else was faster. */
  async #take(request: LockRequest, seen: SeenLease | undefined): Promise<HeldLock | undefined> {
    const { id, operation, by, reason, now } = request;
    const since = now().toISOString();
    const holder: LockHolder = { id, operation, by, ...this.#identity, advisory: false, since, reason };
    const pending = pendingMs(seen, this.#requestMs);
    const record: LeaseRecord = {
      ...holder,
      state: "held",
      lease_ms: this.#leaseMs,
      // What an earlier holder sent may outlast this one, when this one ends before it has waited for that.
      pending_ms: Math.ceil(pending),
      request_ms: this.#requestMs,
      beat: 0,
      nonce: crypto.randomUUID(),
    };
    const sent = Lease.now();
    const condition: WriteCondition = seen === undefined ? { absent: true } : { tag: seen.object.tag };
    try {
      const object = await this.#bucket.put(LOCK_KEY, formatRecord(record), { condition });
      this.#heart?.retire(); // of a holder that ran out
      this.#heart = new Heart(this.#bucket, this.#lease, { record, object, sent }, this.#requestMs);
      return this.#held(holder, this.#heart, seen, performance.now() + pending);
    } catch (error) {
      if (error instanceof BucketError && error.failure === "precondition") return undefined;
      throw error;
    }
  }

  /** @param clearAt when nothing of an earlier holder can come any more, by `performance.now()` */
  #held(holder: LockHolder, heart: Heart, seen: SeenLease | undefined, clearAt: number): HeldLock {
    const isTakenOver = seen !== undefined && seen.record?.state !== "free";
    let releasing: Promise<void> | undefined;
    return {
      holder,
      takenFrom: isTakenOver ? holderOf(seen.holder) : undefined,
      isDeathCertain: !isTakenOver && seen?.record?.broken !== true,
      outwait: async (signal) => {
        for (let left = clearAt - performance.now(); left > 0; left = clearAt - performance.now()) {
          throwIfStopped(signal);
          await pause(left, signal);
        }
        throwIfStopped(signal);
      },
      [Symbol.asyncDispose]: () => releasing ??= heart.release(),
    };
  }

  /** Marks it as free; false when it changed meanwhile. */
  async #free(seen: SeenLease, state: HolderState): Promise<boolean> {
    const { record } = seen;
    const free: LeaseRecord = {
      ...holderOf(seen.holder),
      state: "free",
      lease_ms: record?.lease_ms ?? this.#leaseMs,
      request_ms: Math.max(record?.request_ms ?? 0, this.#requestMs),
      pending_ms: record?.pending_ms ?? 0,
      beat: (record?.beat ?? 0) + 1,
      nonce: record?.nonce ?? crypto.randomUUID(),
      ...(state === "dead" ? {} : { broken: true }),
    };
    try {
      const condition = { tag: seen.object.tag };
      await this.#bucket.put(LOCK_KEY, formatRecord(free), { condition });
      return true;
    } catch (error) {
      if (error instanceof BucketError && error.failure === "precondition") return false;
      throw error;
    }
  }

  #locked(seen: SeenLease, request: LockRequest): LockedError {
    const left = leaseLeftMs(seen, this.#leaseMs);
    const error = lockedError(holderOf(seen.holder), left === undefined ? "unknown" : "alive", request);
    const hint = left === undefined
      ? "The service does not tell its time, so that nobody can say whether that process still runs. If you know " +
        "that it does not: `backout unlock --force`."
      : `Its lease ends in ${shownSeconds(left)} unless it is renewed` +
        (seen.record === undefined ? " (the lock cannot be read; its age counts)" : "") +
        "; --lock-timeout waits for it.";
    return new LockedError(error.message, {
      hint,
      context: { ...error.context, lease_left_ms: left ?? null },
    });
  }

  #unbreakable(seen: SeenLease, state: HolderState): LockedError {
    const holder = holderOf(seen.holder);
    const left = leaseLeftMs(seen, this.#leaseMs);
    const ends = left === undefined ? "" : ` Its lease ends in ${shownSeconds(left)} unless it is renewed.`;
    return new LockedError(`Cannot remove the lock: its holder renews it: ${describeHolder(holder)}`, {
      hint:
        `Wait for it, or stop that process.${ends} Only when it can do no more harm: \`backout unlock --force\`.`,
      context: { holder: { ...holder }, state, lease_left_ms: left ?? null },
    });
  }

  #pollMs(): number {
    const longest = Math.min(POLL_MAX_MS, Math.max(2 * POLL_MIN_MS, this.#leaseMs / 4));
    return POLL_MIN_MS + Math.random() * (longest - POLL_MIN_MS);
  }
}

function shownSeconds(ms: number): string {
  return `${Math.ceil(ms / 1000)} s`;
}

/** Only the holder's own fields: what the lease needs beside them is nobody else's. */
function holderOf(holder: LockHolder): LockHolder {
  const { id, operation, by, host, machine_id, boot_id, pid_namespace, pid, process_start } = holder;
  const { advisory, since, reason } = holder;
  return {
    ...{ id, operation, by, host, machine_id, boot_id, pid_namespace, pid, process_start },
    ...{ advisory, since, reason },
  };
}
