/** Requests that end in time, whether or not the one who carries them out looks at the signal. */

/** How long a request may take to close its connection after it was given up, in milliseconds. */
const CLOSING_MS = 500;

export interface DeadlineOptions {
  /** Undefined: none. */
  readonly ms?: number | undefined;
  /** Each of them ends the request too. */
  readonly signals?: readonly (AbortSignal | undefined)[];
  /** What is thrown after the deadline. */
  readonly expired: () => Error;
  /** What is thrown when one of the signals ended it before the request said so itself. */
  readonly aborted: (reason: unknown) => Error;
}

/**
 * Runs one request with a signal that ends it. When it is given up, this waits a little for it to end, so that nothing
 * more is sent afterwards; what it answers in that time still counts.
 */
export async function withDeadline<T>(
  options: DeadlineOptions,
  run: (signal: AbortSignal, deadline: Deadline) => Promise<T>,
): Promise<T> {
  using deadline = new Deadline(options);
  deadline.check();
  const running = run(deadline.signal, deadline);
  running.catch(() => {}); // it may end when nobody waits any more
  try {
    return await Promise.race([running, deadline.passed]);
  } catch (error) {
    throw deadline.explain(error);
  }
}

/** A signal that aborts after a time or with other signals. Dispose it when the request is over. */
export class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #options: DeadlineOptions;
  readonly #undo: (() => void)[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closing: ReturnType<typeof setTimeout> | undefined;
  #verdict: (() => Error) | undefined;
  #reject: (error: Error) => void = () => {};
  /** Rejects a little after the signal aborted. */
  readonly passed: Promise<never>;

  constructor(options: DeadlineOptions) {
    this.#options = options;
    this.passed = new Promise((_resolve, reject) => this.#reject = reject);
    this.passed.catch(() => {});
    for (const signal of options.signals ?? []) this.#follow(signal);
    this.restart();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** @throws what `aborted` gives, when one of the signals is aborted already */
  check(): void {
    if (this.#verdict !== undefined) throw this.#verdict();
  }

  /** There was progress: the whole time counts again. */
  restart(): void {
    this.stop();
    const { ms, expired } = this.#options;
    if (ms === undefined || this.#verdict !== undefined) return;
    this.#timer = setTimeout(() => this.#end(expired, undefined), ms);
  }

  /** Nothing is awaited now. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  /** The reason that counts: ours when we ended the request, else the request's own. */
  explain(error: unknown): unknown {
    return this.#verdict === undefined ? error : this.#verdict();
  }

  [Symbol.dispose](): void {
    this.stop();
    clearTimeout(this.#closing);
    for (const undo of this.#undo) undo();
  }

  #follow(signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    const end = () => this.#end(() => this.#options.aborted(signal.reason), signal.reason);
    if (signal.aborted) return end();
    signal.addEventListener("abort", end);
    this.#undo.push(() => signal.removeEventListener("abort", end));
  }

  #end(verdict: () => Error, reason: unknown): void {
    if (this.#verdict !== undefined) return;
    this.#verdict = verdict;
    this.stop();
    this.#closing = setTimeout(() => this.#reject(verdict()), CLOSING_MS);
    this.#controller.abort(reason);
  }
}
