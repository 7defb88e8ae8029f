/** Long synchronous loops that still see signals: they rest now and then, and stop between two items. */
import { InterruptedError, type StopSignal } from "#/core/errors.ts";

/** How long a loop may keep the event loop waiting, in milliseconds. */
const MAX_BUSY_MS = 50;

const STOP_SIGNALS: ReadonlySet<unknown> = new Set<StopSignal>(["SIGHUP", "SIGINT", "SIGTERM", "timeout"]);

/**
 * Throws when the signal was aborted: its reason when that is an error, an `InterruptedError` when it is a `StopSignal`
 * or a timeout.
 */
export function throwIfStopped(signal: AbortSignal | undefined): void {
  if (signal === undefined || !signal.aborted) return;
  const reason: unknown = signal.reason;
  if (STOP_SIGNALS.has(reason)) throw new InterruptedError(reason as StopSignal);
  if (reason instanceof Error && reason.name === "TimeoutError") {
    throw new InterruptedError("timeout", { cause: reason });
  }
  signal.throwIfAborted();
}

/**
 * Call `due` once per item, and `await rest()` when it says so:
 * `for (const item of items) { if (pacer.due()) await pacer.rest(); … }`
 */
export class Pacer {
  readonly #signal: AbortSignal | undefined;
  #since = performance.now();

  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  /** True when the event loop has waited long enough. Throws when the signal was aborted. */
  due(): boolean {
    throwIfStopped(this.#signal);
    return performance.now() - this.#since > MAX_BUSY_MS;
  }

  /** Lets signals and timers in. */
  async rest(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.#since = performance.now();
    throwIfStopped(this.#signal);
  }
}

/** Resolves after `ms`, or as soon as the signal aborts. Leaves no timer behind. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
  });
}
