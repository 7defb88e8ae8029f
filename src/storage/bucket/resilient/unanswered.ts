/** Changes that nobody waits for any more, and that the service may still carry out. */
import { mayHappenLater } from "#/storage/bucket/bucket_error.ts";
import type { RetryTools } from "./retry.ts";

export class Unanswered {
  readonly #requestMs: number;
  readonly #tools: RetryTools;
  #until = 0;

  /** @param requestMs how long after it was given up a change may still take effect, in milliseconds */
  constructor(requestMs: number, tools: RetryTools) {
    this.#requestMs = requestMs;
    this.#tools = tools;
  }

  /** Remembers when a change was given up without an answer. */
  async note<T>(change: Promise<T>): Promise<T> {
    try {
      return await change;
    } catch (error) {
      if (mayHappenLater(error)) this.#until = this.#tools.now() + this.#requestMs;
      throw error;
    }
  }

  /** Waits until none of them can take effect any more. */
  async settle(signal: AbortSignal | undefined): Promise<void> {
    const left = this.#until - this.#tools.now();
    if (left > 0) await this.#tools.sleep(left, signal);
  }
}
