/**
 * Keeps a lease: writes the lock object again and again, each time under the condition that it is still what this
 * holder wrote last.
 *
 * A renewal that succeeds proves that nobody else had the lock in between, however late it comes: a taker would have
 * changed the object. So a lease that had run out (a busy or sleeping process) goes on then, and only one that somebody
 * else has is lost for good.
 */
import type { Bucket, BucketObject } from "#/storage/bucket/bucket.ts";
import { BucketError } from "#/storage/bucket/bucket_error.ts";
import { Lease, type Moment } from "./lease.ts";
import { formatRecord, type LeaseRecord, LOCK_KEY, lookAtLease } from "./record.ts";
import { describeHolder } from "#/storage/lock_messages.ts";

/** Renewals in the time of one lease: a failed one leaves time for two more. */
const BEATS_PER_LEASE = 4;
/** No renewal takes longer than this part of the lease, so that another one can follow a hanging one. */
const BEAT_PART = 1 / 3;
/** After a failed renewal the next one comes sooner, by this part of the usual time. */
const AGAIN_PART = 1 / 4;

export class Heart {
  readonly #bucket: Bucket;
  readonly #lease: Lease;
  readonly #record: LeaseRecord;
  readonly #requestMs: number;
  readonly #key: string;
  /** When each renewal was sent whose outcome may still be found out. */
  readonly #sent = new Map<number, Moment>();
  #tag: string;
  #beat: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #beating: Promise<void> | undefined;
  #stopped = false;
  #retired = false;

  /** @param acquired the record as it was written, the tag that it got, and the moment before it was sent */
  constructor(
    bucket: Bucket,
    lease: Lease,
    acquired: { readonly record: LeaseRecord; readonly object: BucketObject; readonly sent: Moment },
    requestMs: number,
    key = LOCK_KEY,
  ) {
    this.#key = key;
    this.#bucket = bucket;
    this.#lease = lease;
    this.#record = acquired.record;
    this.#requestMs = requestMs;
    this.#tag = acquired.object.tag;
    this.#beat = acquired.record.beat;
    lease.begin(acquired.sent, this.#leaseMs, () => this.#beatAfresh());
    this.#schedule(this.#everyMs - (Lease.now().steady - acquired.sent.steady));
  }

  /** Renews it now, or waits for the renewal that is under way. Never throws: the lease tells how it went. */
  beat(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    clearTimeout(this.#timer);
    return this.#beating ??= this.#renew().finally(() => this.#beating = undefined);
  }

  /** A renewal that was under way already may have begun when the service could not be reached yet. */
  async #beatAfresh(): Promise<void> {
    const isUnderWay = this.#beating !== undefined;
    await this.beat();
    if (isUnderWay && this.#lease.remainingMs() === 0 && !this.#lease.isLost) await this.beat();
  }

  /** No renewal is under way any more, and none will be. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#beating;
  }

  /** Another holder of this process has begun with the same lease: this one leaves it alone. */
  retire(): void {
    this.#retired = true;
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /**
   * Gives the lock back, unless somebody else has it. Not being able to is no failure of what was done under it: it
   * runs out by itself then.
   */
  async release(): Promise<void> {
    await this.stop();
    if (this.#retired || this.#lease.isLost) return;
    await this.#inTime(this.#requestMs, (signal) => this.#putFree(signal)).catch(() => {});
    this.#lease.end();
  }

  get #leaseMs(): number {
    return this.#record.lease_ms;
  }

  get #everyMs(): number {
    return this.#leaseMs / BEATS_PER_LEASE;
  }

  #schedule(ms: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => void this.beat(), Math.max(0, ms));
    Deno.unrefTimer(this.#timer as unknown as number); // a process that has nothing else to do may end
  }

  async #renew(): Promise<void> {
    const sent = Lease.now();
    const beat = ++this.#beat;
    this.#sent.set(beat, sent);
    const ms = Math.min(this.#requestMs, this.#leaseMs * BEAT_PART);
    const isRenewed = await this.#inTime(ms, (signal) => this.#put(beat, signal)).catch(() => false);
    if (this.#lease.isLost) return;
    const past = Lease.now().steady - sent.steady;
    this.#schedule(isRenewed ? this.#everyMs - past : this.#everyMs * AGAIN_PART);
  }

  /** True when the lease was prolonged. @throws when the lock could not be written, nor read afterwards */
  async #put(beat: number, signal: AbortSignal): Promise<boolean> {
    try {
      const bytes = formatRecord({ ...this.#record, beat });
      const object = await this.#bucket.put(this.#key, bytes, { condition: { tag: this.#tag }, signal });
      this.#prolong(beat, object);
      return true;
    } catch (error) {
      if (!isUncertain(error)) throw error;
      return await this.#lookAgain(signal);
    }
  }

  /** A write that was refused may be an earlier one of ours that arrived after all. */
  async #lookAgain(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) {
      return await this.#inTime(this.#leaseMs * BEAT_PART, (fresh) => this.#lookAgain(fresh));
    }
    const seen = await lookAtLease(this.#bucket, signal, this.#key);
    if (this.#retired) return false;
    if (seen?.record?.nonce !== this.#record.nonce) {
      this.#lease.lose(
        seen === undefined ? "its object was removed" : `it was taken: ${describeHolder(seen.holder)}`,
      );
      return false;
    }
    if (seen.record.state === "free") {
      this.#lease.lose("it was removed by `backout unlock`");
      return false;
    }
    if (seen.object.tag === this.#tag) return false; // nothing arrived
    this.#prolong(seen.record.beat, seen.object);
    return true;
  }

  #prolong(beat: number, object: BucketObject): void {
    this.#tag = object.tag;
    const sent = this.#sent.get(beat);
    for (const older of this.#sent.keys()) if (older <= beat) this.#sent.delete(older);
    if (sent !== undefined && !this.#retired) this.#lease.extend(sent, this.#leaseMs);
  }

  async #putFree(signal: AbortSignal): Promise<void> {
    const bytes = formatRecord({ ...this.#record, beat: this.#beat + 1, state: "free" });
    try {
      await this.#bucket.put(this.#key, bytes, { condition: { tag: this.#tag }, signal });
    } catch (error) {
      if (!isUncertain(error) || signal.aborted) throw error;
      const seen = await lookAtLease(this.#bucket, signal, this.#key);
      const isOurs = seen?.record?.nonce === this.#record.nonce && seen.record.state === "held";
      if (isOurs) await this.#bucket.put(this.#key, bytes, { condition: { tag: seen.object.tag }, signal });
    }
  }

  async #inTime<T>(ms: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), ms);
    try {
      return await run(controller.signal);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** The object may have changed: by us (a lost reply), or by somebody else. */
function isUncertain(error: unknown): boolean {
  return error instanceof BucketError && (error.failure === "precondition" || error.isUnknown);
}
