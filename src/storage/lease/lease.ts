/**
 * How long this process may still change the storage. The lock extends it, every changing request is kept inside it.
 *
 * Both the steady clock and the wall clock count, whichever went further: the steady one may stand still while a
 * machine sleeps, the wall clock may be set back. A wall clock that jumps ahead only ends the lease too early, and then
 * `renew` asks the server.
 */
import { UnfinishedOperationError } from "#/core/errors.ts";

export interface Moment {
  readonly steady: number;
  readonly wall: number;
}

export class Lease {
  #held: { readonly since: Moment; readonly lengthMs: number } | undefined;
  #lost: string | undefined;
  #loss = new AbortController();
  #renew: (() => Promise<void>) | undefined;

  /** A moment to pass to `extend`: taken before the request is sent, so that the lease is never overestimated. */
  static now(): Moment {
    return { steady: performance.now(), wall: Date.now() };
  }

  /**
   * A new lease, whatever became of the one before.
   * @param renew prolongs it now (calls `extend`, or `lose`), for `renew` below; never throws
   */
  begin(since: Moment, lengthMs: number, renew?: () => Promise<void>): void {
    this.end();
    this.#renew = renew;
    this.extend(since, lengthMs);
  }

  /** The lease was granted, or prolonged, by a request that was sent at this moment. */
  extend(since: Moment, lengthMs: number): void {
    if (this.#lost !== undefined) return;
    this.#held = { since, lengthMs };
  }

  /** Somebody else has it, or may have it: nothing may be changed any more. */
  lose(why: string): void {
    if (this.#lost !== undefined) return;
    this.#lost = why;
    this.#loss.abort();
  }

  /** Given back in good order; without a lease nothing is limited by it. */
  end(): void {
    this.#held = undefined;
    this.#renew = undefined;
    if (this.#lost === undefined) return;
    this.#lost = undefined;
    this.#loss = new AbortController();
  }

  /** True between `extend` and `end`. */
  get isHeld(): boolean {
    return this.#held !== undefined;
  }

  /** True when `lose` was called: it never comes back, unlike a lease that has only run out. */
  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Aborted when the lease is lost (not when it runs out: nobody may be looking then). */
  get lossSignal(): AbortSignal {
    return this.#loss.signal;
  }

  /** Milliseconds left; undefined where no lease is held. Never negative. */
  remainingMs(): number | undefined {
    if (this.#lost !== undefined) return 0;
    if (this.#held === undefined) return undefined;
    const { since, lengthMs } = this.#held;
    const now = Lease.now();
    const gone = Math.max(now.steady - since.steady, now.wall - since.wall);
    return Math.max(0, lengthMs - gone);
  }

  /**
   * Tries once to prolong it now, for a process that was too busy, or asleep, when that was due. Whether it worked is
   * seen in `remainingMs`.
   */
  async renew(): Promise<void> {
    await this.#renew?.();
  }

  /** Why nothing may be changed any more, undefined while it may. */
  problem(): UnfinishedOperationError | undefined {
    const why = this.#lost ?? (this.remainingMs() === 0 ? RAN_OUT : undefined);
    return why === undefined ? undefined : lostError(why);
  }

  /** @throws {UnfinishedOperationError} when the lease was lost or has run out */
  assertHeld(): void {
    const problem = this.problem();
    if (problem !== undefined) throw problem;
  }
}

const RAN_OUT = "it could not be renewed in time";

/** The refusal to change anything without the lock. */
export function lostError(why = RAN_OUT): UnfinishedOperationError {
  return new UnfinishedOperationError(
    `The lock was lost (${why}): this process changes nothing more`,
    { hint: "Run `backout recover` (the next command that writes does it too), then see `backout history`." },
  );
}
