/** The pipes of a child: what it prints is taken, what it reads is given, and none is waited for longer than it lives. */
import { within } from "#/core/child_process.ts";

/** When the child has ended and somebody else holds its pipes: silence for this long is their end, in milliseconds. */
const SILENCE_MS = 1_000;

export interface Pump {
  /** Waits for the end of the stream, or for silence; then gives it up. */
  readonly settle: () => Promise<void>;
}

export function pump(stream: ReadableStream<Uint8Array>, take: (chunk: Uint8Array) => void): Pump {
  const reader = stream.getReader();
  let seen = 0;
  const read = async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      seen++;
      take(value);
    }
  };
  const ended = read().catch(() => {});
  const settle = async () => {
    for (let before = -1; before !== seen;) {
      before = seen;
      if (await within(ended, SILENCE_MS) === "ended") break;
    }
    await reader.cancel().catch(() => {});
  };
  return { settle };
}

/** A program that ends without reading its input has its reasons; a source that fails ends the program. */
export function feed(
  stream: WritableStream<Uint8Array>,
  source: Uint8Array | ReadableStream<Uint8Array>,
  fail: (error: unknown) => void,
): { readonly stop: () => Promise<void> } {
  const writer = stream.getWriter();
  writer.closed.catch(() => {});
  const reader = source instanceof Uint8Array ? undefined : source.getReader();
  const write = async () => {
    if (source instanceof Uint8Array && source.length > 0) await writer.write(source);
    while (reader !== undefined) {
      const next = await reader.read().catch((error) => {
        fail(error);
        return { done: true as const, value: undefined, broken: true };
      });
      if ("broken" in next) return;
      if (next.done) break;
      await writer.write(next.value);
    }
    await writer.close();
  };
  const ended = write().catch(() => {});
  return {
    stop: async () => {
      await writer.abort().catch(() => {});
      await reader?.cancel().catch(() => {});
      await ended;
    },
  };
}
