/** A stream that is looked at while it passes: its first bytes, its last, and a copy of all for somebody who checks it. */

const TAIL_BYTES = 256;

export class Watched {
  readonly stream: ReadableStream<Uint8Array>;
  /** Settles with the first bytes, or when there are none. */
  readonly first: Promise<void>;
  #tail = new Uint8Array();

  /** @param copy takes every byte too, at its own speed; when it gives up, the stream goes on */
  constructor(source: ReadableStream<Uint8Array>, copy?: WritableStream<Uint8Array>) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.first = promise;
    const reader = source.getReader();
    const writer = copy?.getWriter();
    writer?.closed.catch(() => {});
    this.stream = new ReadableStream({
      pull: async (controller) => {
        try {
          const { done, value } = await reader.read();
          resolve();
          if (done) {
            await writer?.close().catch(() => {});
            return controller.close();
          }
          this.#keep(value);
          await writer?.write(value).catch(() => {});
          controller.enqueue(value);
        } catch (error) {
          resolve();
          await writer?.abort(error).catch(() => {});
          controller.error(error);
        }
      },
      cancel: async (reason) => {
        resolve();
        await writer?.abort(reason).catch(() => {});
        await reader.cancel(reason);
      },
    });
  }

  /** The end of what has passed, as text. */
  tail(): string {
    return new TextDecoder().decode(this.#tail);
  }

  #keep(value: Uint8Array): void {
    const joined = new Uint8Array(this.#tail.length + Math.min(value.length, TAIL_BYTES));
    joined.set(this.#tail);
    joined.set(value.subarray(-TAIL_BYTES), this.#tail.length);
    this.#tail = joined.slice(-TAIL_BYTES);
  }
}
