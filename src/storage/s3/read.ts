/** Reading objects of S3: what is known of one, its bytes, its bytes as a stream. */
import {
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadBucketCommand,
  HeadObjectCommand,
  type HeadObjectCommandInput,
} from "@aws-sdk/client-s3";
import {
  type BucketObject,
  type BucketObjectDetail,
  lengthOf,
  rangeHeader,
  type ReadOptions,
  sizeInRange,
} from "#/storage/bucket/bucket.ts";
import { BucketError } from "#/storage/bucket/bucket_error.ts";
import { assertAddressable, type KeySpace, toObject } from "./object.ts";
import type { S3Session } from "./session.ts";

/**
 * Asks for the reply without a Content-Encoding: the `fetch` of some Deno versions unpacks what is stored packed, and
 * hides how long it was, also from a HEAD.
 */
export const AS_STORED = { ResponseContentEncoding: "identity" } as const;

export class S3Reader {
  readonly #session: S3Session;
  readonly #keys: KeySpace;
  #bucketSeen = false;

  constructor(session: S3Session, keys: KeySpace) {
    this.#session = session;
    this.#keys = keys;
  }

  async head(
    key: string,
    options: ReadOptions = {},
  ): Promise<BucketObjectDetail | undefined> {
    const { signal, versionId } = options;
    const { session, target, action } = this.#request("look at", key);
    const input = versionId === undefined ? target : { ...target, VersionId: versionId };
    const ask = (more: Partial<HeadObjectCommandInput>) =>
      session.run(
        action,
        signal,
        (it) => session.client.send(new HeadObjectCommand({ ...input, ...more }), it),
      );
    try {
      const seen = await ask({});
      const reply = seen.ContentLength === undefined ? await ask(AS_STORED) : seen;
      if (reply.ContentLength === undefined) throw this.#noLength(action);
      const metadata = Object.entries(reply.Metadata ?? {}).map((
        [name, value],
      ) => [name.toLowerCase(), value]);
      return {
        ...toObject(session, key, reply.ContentLength, reply),
        metadata: Object.fromEntries(metadata),
      };
    } catch (error) {
      if (!(error instanceof BucketError)) throw error;
      const status = error.context.status;
      if (status === 404) {
        await this.#assertBucket(action, signal);
        return undefined;
      }
      // The reply to a HEAD has no body to say why.
      if (status === 400 || status === 403 || status === 301) {
        throw await this.#explained(error, key, options);
      }
      throw error;
    }
  }

  async get(
    key: string,
    options: ReadOptions & { readonly maxBytes: number },
  ): Promise<{ readonly object: BucketObject; readonly bytes: Uint8Array } | undefined> {
    const opened = await this.open(key, options);
    if (opened === undefined) return undefined;
    const { object, body } = opened;
    const length = lengthOf(object.size, options.range);
    if (length > options.maxBytes) {
      await body.cancel();
      throw this.#tooLarge(key, length, options.maxBytes);
    }
    const bytes = new Uint8Array(length);
    let filled = 0;
    for await (const chunk of body) {
      bytes.set(chunk, filled);
      filled += chunk.length;
    }
    return { object, bytes };
  }

  /** The stream ends after exactly as many bytes as the object or the part has, or with a BucketError. */
  async open(
    key: string,
    { signal, versionId, range }: ReadOptions = {},
  ): Promise<{ readonly object: BucketObject; readonly body: ReadableStream<Uint8Array> } | undefined> {
    const { session, target, action } = this.#request("read", key);
    const version = versionId === undefined ? {} : { VersionId: versionId };
    const part = range === undefined ? {} : { Range: rangeHeader(range) };
    const input = { ...target, ...version, ...part, ...AS_STORED };
    let reply: GetObjectCommandOutput;
    try {
      reply = await session.run(
        action,
        signal,
        (options) => session.client.send(new GetObjectCommand(input), options),
      );
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    const body = reply.Body?.transformToWebStream() as ReadableStream<Uint8Array> | undefined;
    if (reply.ContentLength === undefined || body === undefined) {
      await body?.cancel();
      throw this.#noLength(action);
    }
    const size = range === undefined ? reply.ContentLength : sizeInRange(reply.ContentRange);
    if (size === undefined) {
      await body.cancel();
      throw this.#noLength(action);
    }
    const object = toObject(session, key, size, reply);
    return { object, body: this.#checked(body, lengthOf(size, range), action, signal) };
  }

  /** The stream with its length checked and its errors in our words. */
  #checked(
    body: ReadableStream<Uint8Array>,
    size: number,
    action: string,
    signal: AbortSignal | undefined,
  ): ReadableStream<Uint8Array> {
    const reader = body.getReader();
    const session = this.#session;
    let seen = 0;
    const fail = async (message: string): Promise<never> => {
      await reader.cancel().catch(() => {});
      const { location, endpoint } = session;
      throw new BucketError({ failure: "network", action, location, endpoint, message });
    };
    const next = async (): Promise<ReadableStreamReadResult<Uint8Array>> => {
      try {
        return await reader.read();
      } catch (error) {
        throw await session.failure(error, action, signal, "network");
      }
    };
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const { done, value } = await next();
        if (done) {
          if (seen !== size) await fail(`the reply ended after ${seen} of ${size} bytes`);
          controller.close();
          return;
        }
        seen += value.length;
        if (seen > size) await fail(`the reply has more than ${size} bytes`);
        controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    }, { highWaterMark: 0 });
  }

  /** A missing object and a missing bucket look the same to a HEAD; one look at the bucket tells them apart. */
  async #assertBucket(action: string, signal: AbortSignal | undefined): Promise<void> {
    if (this.#bucketSeen) return;
    const { client, bucket, location, endpoint } = this.#session;
    try {
      await this.#session.run(
        action,
        signal,
        (options) => client.send(new HeadBucketCommand({ Bucket: bucket }), options),
      );
    } catch (error) {
      if (error instanceof BucketError && error.context.status === 404) {
        throw new BucketError({ failure: "missing_bucket", action, location, endpoint, status: 404 });
      }
      if (error instanceof BucketError && error.failure !== "denied") throw error;
    }
    this.#bucketSeen = true;
  }

  /** The same question as a GET of one byte, whose refusal has words. */
  async #explained(
    error: BucketError,
    key: string,
    { signal, versionId }: ReadOptions,
  ): Promise<BucketError> {
    const { session, target, action } = this.#request("look at", key);
    const version = versionId === undefined ? {} : { VersionId: versionId };
    try {
      const reply = await session.run(
        action,
        signal,
        (options) =>
          session.client.send(new GetObjectCommand({ ...target, ...version, Range: "bytes=0-0" }), options),
      );
      await reply.Body?.transformToWebStream().cancel();
      return error;
    } catch (explained) {
      const isSame = explained instanceof BucketError && explained.context.status === error.context.status;
      return isSame ? explained : error;
    }
  }

  #noLength(action: string): BucketError {
    const { location, endpoint } = this.#session;
    const message = "the reply does not say how long the object is";
    return new BucketError({ failure: "unsupported", action, location, endpoint, message });
  }

  #tooLarge(key: string, size: number, maxBytes: number): BucketError {
    return new BucketError({
      failure: "too_large",
      action: `read ${key}`,
      location: this.#session.location,
      message: `${size} bytes, expected at most ${maxBytes}`,
    });
  }

  #request(verb: string, key: string) {
    const session = this.#session;
    const action = `${verb} ${key}`;
    const target = { Bucket: session.bucket, Key: this.#keys.full(key) };
    assertAddressable(session, action, target.Key);
    return { session, target, action };
  }
}

/** No such object or version of it; a delete marker too. */
function isMissing(error: unknown): boolean {
  if (!(error instanceof BucketError) || error.failure === "missing_bucket") return false;
  return error.context.status === 404;
}
