/** The body of an object that must keep coming: silence for too long is an error, whatever its size. */
import { BucketError } from "#/storage/bucket/bucket_error.ts";
import type { Deadline } from "./deadline.ts";

/**
 * A stream of the same bytes that fails when nothing comes for the deadline's time. The time that the reader takes
 * between two chunks does not count.
 * @param deadline is disposed with the stream
 * @param broken makes the error of a body that broke off
 */
export function watchBody(
  body: ReadableStream<Uint8Array>,
  deadline: Deadline,
  broken: (cause: unknown) => Error,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await next(reader, deadline);
        if (!done) return controller.enqueue(value);
        deadline[Symbol.dispose]();
        controller.close();
      } catch (error) {
        const why = deadline.explain(error);
        deadline[Symbol.dispose]();
        reader.cancel(why).catch(() => {}); // it failed, or never answers
        throw why instanceof BucketError ? why : broken(why);
      }
    },
    async cancel(reason) {
      deadline[Symbol.dispose]();
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}

async function next(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  deadline: Deadline,
): Promise<ReadableStreamReadResult<Uint8Array>> {
  deadline.check();
  deadline.restart();
  const read = reader.read();
  read.catch(() => {});
  const result = await Promise.race([read, deadline.passed]);
  deadline.stop();
  return result;
}

/** All of it. @throws what `wrong` gives when it has not `size` bytes */
export async function collect(
  body: ReadableStream<Uint8Array>,
  size: number,
  wrong: (got: number) => Error,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let got = 0;
  for await (const chunk of body) {
    if (got + chunk.length > size) throw wrong(got + chunk.length);
    bytes.set(chunk, got);
    got += chunk.length;
  }
  if (got !== size) throw wrong(got);
  return bytes;
}
