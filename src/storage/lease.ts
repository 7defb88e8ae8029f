/**
 * How long this process may still change the storage. The lock extends it, every changing request is kept inside it.
 *
 * Both the steady clock and the wall clock count, whichever went further: the steady one may stand still while a
 * machine sleeps, the wall clock may be set back.
 */
import { UnfinishedOperationError } from "#/core/errors.ts";

interface Moment {
  readonly steady: number;
  readonly wall: number;
}

export class Lease {
  #held: { readonly since: Moment; readonly lengthMs: number } | undefined;
  #lost: string | undefined;

  /** A moment to pass to `extend`: taken before the request is sent, so that the lease is never overestimated. */
  static now(): Moment {
    return { steady: performance.now(), wall: Date.now() };
  }

  /** The lease was granted, or prolonged, by a request that was sent at this moment. */
  extend(since: Moment, lengthMs: number): void {
    if (this.#lost !== undefined) return;
    this.#held = { since, lengthMs };
  }

  /** Somebody else has it, or may have it: nothing may be changed any more. */
  lose(why: string): void {
    this.#lost ??= why;
  }

  /** Given back in good order; without a lease nothing is limited by it. */
  end(): void {
    this.#held = undefined;
    this.#lost = undefined;
  }

  /** True between `extend` and `end`. */
  get isHeld(): boolean {
    return this.#held !== undefined;
  }

  /** Milliseconds left; undefined where no lease is held. Never negative. */
  remainingMs(): number | undefined {
    if (this.#held === undefined) return undefined;
    const { since, lengthMs } = this.#held;
    const now = Lease.now();
    const gone = Math.max(now.steady - since.steady, now.wall - since.wall);
    return Math.max(0, lengthMs - gone);
  }

  /** @throws {UnfinishedOperationError} when the lease was lost or has run out */
  assertHeld(): void {
    const why = this.#lost ?? (this.remainingMs() === 0 ? "it could not be renewed in time" : undefined);
    if (why === undefined) return;
    throw new UnfinishedOperationError(
      `The lock was lost (${why}): this process changes nothing more`,
      { hint: "Run `backout recover` (the next command that writes does it too), then see `backout history`." },
    );
  }
}
