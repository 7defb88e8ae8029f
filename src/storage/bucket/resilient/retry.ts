/** When a request to object storage is tried again, and after what pause. */
import type { JsonObject } from "#/core/json.ts";
import { pause } from "#/core/pace.ts";
import { BucketError } from "#/storage/bucket/bucket_error.ts";

export const RETRY_LIMITS = {
  /** With the first one. */
  attempts: 6,
  /** No attempt starts later than this after the first one, in milliseconds. */
  budgetMs: 60_000,
  /** The longest first pause; every further one is twice as long (four times when the service asks to slow down). */
  baseMs: 100,
  capMs: 2_000,
  throttledCapMs: 5_000,
  /** Of those that begin in a hurry. */
  hurriedAttempts: 2,
} as const;

/** Time and chance, which tests bring themselves. */
export interface RetryTools {
  /** Resolves after `ms`, or as soon as the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
  /** In [0, 1). */
  readonly random: () => number;
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
  /** Aborted when somebody waits for the end of the program: from then on there are few attempts. */
  readonly hurry?: AbortSignal;
}

export const realTools: RetryTools = { sleep: pause, random: Math.random, now: () => performance.now() };

/**
 * The pause after a failed attempt, in milliseconds: exponential with full jitter, so that writers who failed together
 * do not come back together.
 * @param attempt the one that failed, from 1
 */
export function backoffMs(attempt: number, isThrottled: boolean, random: () => number): number {
  const { baseMs, capMs, throttledCapMs } = RETRY_LIMITS;
  const growth = isThrottled ? 4 : 2;
  const longest = Math.min(isThrottled ? throttledCapMs : capMs, baseMs * growth ** (attempt - 1));
  return random() * longest;
}

/** The attempts of one request. */
export class Attempts {
  readonly #tools: RetryTools;
  readonly #signal: AbortSignal | undefined;
  #started: number;
  #count = 0;
  #hurried = 0;

  constructor(tools: RetryTools, signal?: AbortSignal) {
    this.#tools = tools;
    this.#signal = signal;
    this.#started = tools.now();
  }

  /** How many have begun. */
  get count(): number {
    return this.#count;
  }

  /** Call it before each attempt. */
  begin(): void {
    this.#count++;
    if (this.#tools.hurry?.aborted === true) this.#hurried++;
  }

  /** Something was achieved: what comes next has all its attempts again. */
  reset(): void {
    this.#count = 0;
    this.#started = this.#tools.now();
  }

  /** Waits before the next attempt. @throws the failure, with the number of attempts, when there should be none */
  async pauseAfter(error: unknown): Promise<void> {
    if (!(error instanceof BucketError) || !error.isTransient) throw this.#final(error);
    if (!await this.pause(error)) throw this.#final(error);
  }

  /** Waits before the next attempt; false when there should be none. */
  async pause(error: BucketError): Promise<boolean> {
    if (this.#count >= RETRY_LIMITS.attempts || this.#signal?.aborted) return false;
    const ms = backoffMs(this.#count, error.failure === "throttled", this.#tools.random);
    if (this.#tools.now() + ms - this.#started > RETRY_LIMITS.budgetMs) return false;
    if (this.#hurried >= RETRY_LIMITS.hurriedAttempts) return false;
    await this.#tools.sleep(ms, this.#signal);
    return !this.#signal?.aborted;
  }

  #final(error: unknown): unknown {
    return withAttempts(error, this.#count);
  }
}

/** Tries again while failures are transient. @param run is given the number of the attempt, from 1 */
export async function retry<T>(
  run: (attempt: number) => Promise<T>,
  tools: RetryTools,
  signal?: AbortSignal,
): Promise<T> {
  const attempts = new Attempts(tools, signal);
  for (;;) {
    attempts.begin();
    try {
      return await run(attempts.count);
    } catch (error) {
      await attempts.pauseAfter(error);
    }
  }
}

/** Notes in a failure's context how often it was tried, where that was more than once. Returns the failure. */
export function withAttempts<T>(error: T, attempts: number): T {
  if (error instanceof BucketError && attempts > 1) {
    const context: JsonObject = { ...error.context, attempts };
    Object.assign(error, { context });
  }
  return error;
}
