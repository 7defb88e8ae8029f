/** What notifications need of the world, so that tests can bring their own. */
import { pause } from "#/core/pace.ts";

export interface NotifyTools {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Reads this process's environment, at the moment of sending. */
  readonly env: (name: string) => string | undefined;
  readonly now: () => Date;
  /** Milliseconds of a clock that only goes forward. */
  readonly elapsed: () => number;
  /** Resolves after `ms`, or as soon as the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** In [0, 1). */
  readonly random: () => number;
  /** Whether this process may connect there. Never asks. */
  readonly mayConnect: (url: URL) => boolean;
}

/** The real world. */
export function realTools(env: NotifyTools["env"]): NotifyTools {
  return {
    fetch: (url, init) => fetch(url, init),
    env,
    now: () => new Date(),
    elapsed: () => performance.now(),
    sleep: pause,
    random: Math.random,
    mayConnect,
  };
}

/** A call without the permission would ask on a terminal. */
function mayConnect(url: URL): boolean {
  try {
    return Deno.permissions.querySync({ name: "net", host: url.host }).state === "granted";
  } catch {
    return Deno.permissions.querySync({ name: "net" }).state === "granted";
  }
}

/** A signal that aborts after a time. Dispose it when the work is over. */
export class TimeLimit implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #until: number;
  readonly #elapsed: () => number;

  constructor(ms: number, elapsed: () => number) {
    this.#elapsed = elapsed;
    this.#until = elapsed() + ms;
    this.#timer = setTimeout(() => this.#controller.abort(), ms);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Milliseconds that are left, 0 when it is over. */
  get left(): number {
    return this.signal.aborted ? 0 : Math.max(0, this.#until - this.#elapsed());
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
