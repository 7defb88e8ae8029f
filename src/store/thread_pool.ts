/** The store's worker threads. Each does one request at a time, and has at most one more waiting. */
import type { StoredTally } from "./chunk_adder.ts";
import { received } from "./thread_error.ts";
import type { ThreadAnswer, ThreadReply, ThreadRequest } from "./thread_messages.ts";

/** More would only take memory: packs are written by one disk. */
const MAX_THREADS = 2;
const MAX_WAITING = 2;

interface Thread {
  readonly worker: Worker;
  readonly waiting: ((reply: ThreadReply | Error) => void)[];
  broken: Error | undefined;
  storedBytes: number;
}

export class ThreadPool implements Disposable {
  readonly #threads: readonly Thread[];
  readonly #onReply: (reply: ThreadReply) => void;
  /** Those who wait until a thread has room. */
  #queue: (() => void)[] = [];

  /** @param onReply called with every reply before its request is answered */
  constructor(onReply: (reply: ThreadReply) => void = () => {}) {
    this.#onReply = onReply;
    const count = Math.max(1, Math.min(MAX_THREADS, navigator.hardwareConcurrency));
    this.#threads = Array.from({ length: count }, () => this.#start());
  }

  /** Bytes that the threads have stored. */
  get storedBytes(): number {
    return this.#threads.reduce((sum, thread) => sum + thread.storedBytes, 0);
  }

  /** A thread ended by itself: nothing more can be asked of this pool. */
  get isBroken(): boolean {
    return this.#threads.some(({ broken }) => broken !== undefined);
  }

  /**
   * Gives a request to the thread that has least to do, once there is room for it.
   * @param gate awaited right before, every time there may be room: waits for something else, or throws
   */
  async run(
    request: ThreadRequest,
    { transfer = [], gate, tally }: {
      readonly transfer?: readonly ArrayBuffer[];
      readonly gate?: () => Promise<void> | void;
      readonly tally?: StoredTally;
    } = {},
  ): Promise<ThreadAnswer> {
    for (;;) {
      try {
        await gate?.();
      } catch (error) {
        this.#queue.shift()?.(); // whoever waits has a place now
        throw error;
      }
      const thread = this.#threads.reduce((a, b) => (b.waiting.length < a.waiting.length ? b : a));
      if (thread.waiting.length < MAX_WAITING || thread.broken !== undefined) {
        return await this.#send(thread, request, transfer, tally);
      }
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    }
  }

  /** Gives the same request to all. */
  async runOnAll(request: ThreadRequest): Promise<void> {
    const all = await Promise.allSettled(this.#threads.map((thread) => this.#send(thread, request, [])));
    const failed = all.find((it) => it.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  [Symbol.dispose](): void {
    for (const thread of this.#threads) {
      thread.worker.terminate();
      this.#break(thread, new Error("the threads of the store were stopped"));
    }
  }

  async #send(
    thread: Thread,
    request: ThreadRequest,
    transfer: readonly ArrayBuffer[],
    tally?: StoredTally,
  ): Promise<ThreadAnswer> {
    if (thread.broken !== undefined) throw thread.broken;
    const reply = await new Promise<ThreadReply | Error>((resolve) => {
      thread.waiting.push(resolve);
      thread.worker.postMessage(request, [...transfer]);
    });
    this.#queue.shift()?.();
    if (reply instanceof Error) throw reply;
    if (tally !== undefined) tally.bytes += reply.addedBytes;
    if (reply.error !== undefined) throw received(reply.error);
    return reply.answer!;
  }

  #start(): Thread {
    const url = new URL(
      import.meta.url.endsWith(".ts") ? "./store_worker.ts" : "./store_worker.js",
      import.meta.url,
    );
    const worker = new Worker(url, { type: "module" });
    const thread: Thread = { worker, waiting: [], broken: undefined, storedBytes: 0 };
    worker.onmessage = ({ data }: MessageEvent<ThreadReply>) => {
      thread.storedBytes = data.storedBytes;
      this.#onReply(data);
      thread.waiting.shift()?.(data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#break(thread, new Error(`a thread of the store broke: ${event.message}`));
    };
    worker.onmessageerror = () => this.#break(thread, new Error("a thread of the store could not answer"));
    return thread;
  }

  #break(thread: Thread, error: Error): void {
    thread.broken ??= error;
    for (const resolve of thread.waiting.splice(0)) resolve(error);
    const queue = this.#queue;
    this.#queue = [];
    for (const resolve of queue) resolve();
  }
}
