/** Many requests, but only so many at the same time. */
import { throwIfStopped } from "#/core/pace.ts";

/** Small reads of which the order does not matter: so many at the same time. */
export const READS_AT_ONCE = 16;

/**
 * Does `work` for every item, at most `limit` at a time; the results are in the order of `items`. After the first
 * failure nothing more is begun; it is thrown when what was under way has ended, so that nothing goes on unseen.
 * @param signal stops between two items
 */
export async function mapLimited<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
  signal?: AbortSignal,
): Promise<R[]> {
  throwIfStopped(signal);
  const results = new Array<R>(items.length);
  const failures: unknown[] = [];
  let next = 0;
  const runner = async () => {
    while (failures.length === 0 && next < items.length) {
      const index = next++;
      try {
        throwIfStopped(signal);
        results[index] = await work(items[index]!, index);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  const runners = Math.max(1, Math.min(limit, items.length));
  await Promise.all(Array.from({ length: runners }, runner));
  if (failures.length > 0) throw failures[0];
  return results;
}

/** So many units (bytes, say) may be in use at the same time; who wants more waits for its turn. */
export class Budget {
  readonly #size: number;
  readonly #waiting: { readonly units: number; readonly start: () => void }[] = [];
  #used = 0;

  constructor(size: number) {
    this.#size = size;
  }

  /** Runs `work` while it holds so many units; what wants more than there is runs alone. */
  async use<T>(wanted: number, work: () => Promise<T>): Promise<T> {
    const units = Math.min(wanted, this.#size);
    await this.#take(units);
    try {
      return await work();
    } finally {
      this.#used -= units;
      this.#startWaiting();
    }
  }

  #take(units: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ units, start: resolve });
      this.#startWaiting();
    });
  }

  /** In the order in which they came, so that a large one is not passed for ever. */
  #startWaiting(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (this.#used + first.units > this.#size) return;
      this.#waiting.shift();
      this.#used += first.units;
      first.start();
    }
  }
}
