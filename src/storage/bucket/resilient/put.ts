/**
 * A conditional write whose reply may be lost. "The condition does not hold" may only mean that the write was sent twice
 * (by the client's library, by a proxy) and happened the first time; "the service failed" may mean that it happened. So
 * the object is read again, and its bytes tell.
 *
 * That is enough because what backout writes under a condition is unique to its writer: it carries the operation's id, a
 * serial, or a nonce. Equal bytes were written by this very call. (An object that was written, and replaced by somebody
 * else before it was read again, looks like a condition that did not hold: whether the operation happened is then read
 * from the index.)
 */
import type { BucketObject, WriteCondition } from "#/storage/bucket/bucket.ts";
import { BucketError } from "#/storage/bucket/bucket_error.ts";
import { type Attempts, withAttempts } from "./retry.ts";

export interface ConditionalPut {
  readonly bytes: Uint8Array;
  readonly condition: WriteCondition;
  readonly attempts: Attempts;
  /** One request, within its deadline. */
  readonly send: () => Promise<BucketObject>;
  /** What is there now (tried again by itself); the bytes only when there are as many as were written. */
  readonly look: () => Promise<{ readonly object: BucketObject; readonly bytes?: Uint8Array } | undefined>;
  /** The failure of a write whose condition does not hold. */
  readonly refused: (cause: unknown) => BucketError;
}

/** Sends it until its outcome is known. @throws {BucketError} "precondition" when somebody else was there first */
export async function putConditionally(put: ConditionalPut): Promise<BucketObject> {
  const { attempts } = put;
  for (;;) {
    attempts.begin();
    try {
      return await put.send();
    } catch (error) {
      if (!(error instanceof BucketError) || !error.isTransient && error.failure !== "precondition") {
        throw withAttempts(error, attempts.count);
      }
      const happened = await outcome(put, error);
      if (happened !== undefined) return happened;
      if (!await attempts.pause(error)) throw withAttempts(error, attempts.count);
    }
  }
}

/** The object when the write happened, undefined when it did not and may be sent again. */
async function outcome(put: ConditionalPut, error: BucketError): Promise<BucketObject | undefined> {
  if (error.failure === "throttled") return undefined; // it was turned away, or a further attempt will find out
  const current = await lookOr(put, error);
  if (current?.bytes !== undefined && areEqual(current.bytes, put.bytes)) return current.object;
  if (error.failure !== "precondition" && holds(put.condition, current?.object)) return undefined;
  throw withAttempts(error.failure === "precondition" ? error : put.refused(error), put.attempts.count);
}

async function lookOr(put: ConditionalPut, error: BucketError): ReturnType<ConditionalPut["look"]> {
  try {
    return await put.look();
  } catch {
    throw withAttempts(error, put.attempts.count); // the write is what failed; that its outcome is unknown follows
  }
}

function holds(condition: WriteCondition, current: BucketObject | undefined): boolean {
  return "absent" in condition ? current === undefined : current?.tag === condition.tag;
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
