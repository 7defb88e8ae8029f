/** Deleting objects of S3. */
import { DeleteObjectCommand, DeleteObjectsCommand } from "@aws-sdk/client-s3";
import type { RemoveFailure, RemoveRequest, RequestOptions } from "#/storage/bucket/bucket.ts";
import { BucketError } from "#/storage/bucket/bucket_error.ts";
import type { Conditions } from "./condition.ts";
import { assertAddressable, type KeySpace } from "./object.ts";
import type { S3Session } from "./session.ts";

/** What one request takes. */
export const REMOVE_BATCH = 1000;

/** Characters that XML 1.0 cannot hold, so that a key with one cannot stand in a list of keys. */
// deno-lint-ignore no-control-regex
const NOT_IN_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;

export class S3Remover {
  readonly #session: S3Session;
  readonly #keys: KeySpace;
  readonly #conditions: Conditions;
  readonly #currentTag: (key: string, options: RequestOptions) => Promise<string | undefined>;

  constructor(
    session: S3Session,
    keys: KeySpace,
    conditions: Conditions,
    currentTag: (key: string, options: RequestOptions) => Promise<string | undefined>,
  ) {
    this.#session = session;
    this.#keys = keys;
    this.#conditions = conditions;
    this.#currentTag = currentTag;
  }

  /**
   * Deletes objects. A tag counts where one object is deleted; lists of them are deleted without, because few
   * servers take tags there.
   */
  async remove(
    requests: readonly RemoveRequest[],
    options: RequestOptions,
  ): Promise<readonly RemoveFailure[]> {
    if (requests.length === 0) return [];
    if (requests.length > REMOVE_BATCH) {
      throw new RangeError(`at most ${REMOVE_BATCH} objects are deleted at a time`);
    }
    const alone = requests.length === 1 ? requests : requests.filter(({ key }) => NOT_IN_XML.test(key));
    const together = requests.filter((request) => !alone.includes(request));
    const failures: RemoveFailure[] = [];
    for (const request of alone) {
      const error = await this.#removeOne(request, options);
      if (error !== undefined) failures.push({ key: request.key, error });
    }
    if (together.length > 0) failures.push(...await this.#removeMany(together, options));
    return failures;
  }

  async #removeOne({ key, tag }: RemoveRequest, options: RequestOptions): Promise<BucketError | undefined> {
    const { client, bucket } = this.#session;
    const action = `delete ${key}`;
    const target = { Bucket: bucket, Key: this.#keys.full(key) };
    assertAddressable(this.#session, action, target.Key);
    const send = (condition: { readonly IfMatch?: string }) =>
      this.#session.run(
        action,
        options.signal,
        (it) => client.send(new DeleteObjectCommand({ ...target, ...condition }), it),
      );
    try {
      if (tag === undefined) await send({});
      else await this.#conditions.apply({ tag }, send, () => this.#currentTag(key, options));
    } catch (error) {
      if (!(error instanceof BucketError)) throw error;
      return await this.#ofOne(error, { key, tag }, options);
    }
    return undefined;
  }

  /** What a refusal means for the one object, undefined when it is gone; what concerns the request is thrown. */
  async #ofOne(
    error: BucketError,
    request: RemoveRequest,
    options: RequestOptions,
  ): Promise<BucketError | undefined> {
    if (error.context.code === "NoSuchKey") return undefined;
    if (error.failure === "unsupported" && request.tag !== undefined) {
      return await this.#removeOne({ key: request.key }, options);
    }
    if (error.failure === "precondition" || error.failure === "retained") return error;
    throw error;
  }

  async #removeMany(
    requests: readonly RemoveRequest[],
    { signal }: RequestOptions,
  ): Promise<readonly RemoveFailure[]> {
    const session = this.#session;
    const objects = requests.map(({ key }) => ({ Key: this.#keys.full(key) }));
    const action = `delete ${requests.length} objects`;
    const reply = await session.run(action, signal, (options) =>
      session.client.send(
        new DeleteObjectsCommand({ Bucket: session.bucket, Delete: { Objects: objects, Quiet: true } }),
        options,
      ));
    const failures: RemoveFailure[] = [];
    for (const { Key, Code, Message } of reply.Errors ?? []) {
      if (Code === "NoSuchKey") continue;
      const key = this.#keys.relative(Key ?? "");
      const said = Object.assign(new Error(Message ?? ""), { name: Code ?? "Unknown" });
      failures.push({ key, error: await session.failure(said, `delete ${key}`, undefined) });
    }
    return failures;
  }
}
