/** When a request to object storage is given up, and what is thrown then. */
import { BucketError, type BucketFailure } from "#/storage/bucket/bucket_error.ts";
import type { DeadlineOptions } from "./deadline.ts";
import type { Lease } from "#/storage/lease/lease.ts";

export type Signal = AbortSignal | undefined;

/** How long an answer is waited for in a hurry, in milliseconds. */
const HURRIED_MS = 5_000;

export interface RequestLimitsOptions {
  readonly location: string;
  readonly lease: Lease;
  /** How long one request may take, in milliseconds. */
  readonly requestMs: number;
  /** Stops every request. */
  readonly signal?: AbortSignal;
  /** Aborted when somebody waits for the end of the program. */
  readonly hurry?: AbortSignal;
}

export class RequestLimits {
  readonly #options: RequestLimitsOptions;

  constructor(options: RequestLimitsOptions) {
    this.#options = options;
  }

  /** Who is in a hurry waits for no answer to a question; what changes something is waited for as ever. */
  forReading(action: string, signal: Signal): DeadlineOptions {
    const { hurry, requestMs } = this.#options;
    if (hurry?.aborted !== true) return this.of(action, signal, requestMs, hurry);
    return this.of(action, signal, Math.min(requestMs, HURRIED_MS));
  }

  /** @param more further signals that end the request */
  of(action: string, signal: Signal, ms: number, ...more: readonly Signal[]): DeadlineOptions {
    return {
      ms,
      signals: [this.#options.signal, signal, ...more],
      expired: () => this.failure("timeout", action, `nothing came for ${Math.round(ms)} ms`),
      aborted: (reason) => this.#stopped(action, reason, signal),
    };
  }

  failure(failure: BucketFailure, action: string, message?: string, cause?: unknown): BucketError {
    return new BucketError({ failure, action, location: this.#options.location, message, cause });
  }

  #stopped(action: string, reason: unknown, signal: Signal): Error {
    const { lease, hurry } = this.#options;
    if (this.#options.signal?.aborted || signal?.aborted) {
      return this.failure("aborted", action, undefined, reason);
    }
    // The lease was lost, or it is about to run out, which another attempt finds out. Or somebody is in a hurry.
    const why = hurry?.aborted === true ? "it was interrupted" : "the lock was not prolonged in time";
    return lease.problem() ?? this.failure("timeout", action, why);
  }
}
