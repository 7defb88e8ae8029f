/** What is left of a lease for a request, and a signal for requests that outlast it. */
import type { Lease } from "./lease.ts";

/** Not used of a lease, in milliseconds: timers come late, also the one that gives a request up. */
const MARGIN_MS = 50;
/** Nor this part of what is left: no two clocks run equally fast, and a longer wait drifts further. */
const MARGIN_PART = 0.1;

/** How long a request that changes something may take now, in milliseconds; undefined where no lease is held. */
export function usableMs(lease: Lease): number | undefined {
  const left = lease.remainingMs();
  return left === undefined ? undefined : Math.max(0, left - Math.max(MARGIN_MS, left * MARGIN_PART));
}

/** A signal that aborts when the lease is about to run out; every prolongation puts that off. */
export class LeaseWatch implements Disposable {
  readonly #lease: Lease;
  readonly #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(lease: Lease) {
    this.#lease = lease;
    this.#look();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #look(): void {
    const left = usableMs(this.#lease);
    if (left === undefined) return;
    if (left === 0) return this.#controller.abort();
    this.#timer = setTimeout(() => this.#look(), Math.max(1, left));
  }
}
