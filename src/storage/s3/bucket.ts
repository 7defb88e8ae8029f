/** The driver for S3 and for servers that speak its API: one request a call, with no policy of its own. */
import { GetBucketVersioningCommand, PutObjectCommand, type PutObjectCommandInput } from "@aws-sdk/client-s3";
import {
  type Bucket,
  type BucketObject,
  type BucketObjectDetail,
  COPY_IN_PARTS_BYTES,
  COPY_PART_BYTES,
  type CopySource,
  type ListPage,
  type ListRequest,
  MAX_PUT_BYTES,
  type PutOptions,
  type ReadOptions,
  type RemoveFailure,
  type RemoveRequest,
  type RequestOptions,
  type WriteCondition,
} from "#/storage/bucket/bucket.ts";
import { BucketError } from "#/storage/bucket/bucket_error.ts";
import { contentTypeOf } from "#/storage/content_type.ts";
import type { S3Location, S3Options } from "./open.ts";
import { type ConditionHeaders, Conditions } from "./condition.ts";
import { type Copied, S3Copier } from "./copy.ts";
import { S3Lister } from "./list.ts";
import { assertAddressable, KeySpace, toObject } from "./object.ts";
import { S3Reader } from "./read.ts";
import { REMOVE_BATCH, S3Remover } from "./remove.ts";
import { openSession, type S3Session } from "./session.ts";
import { changedFile, openFile, readFully, uploadInParts } from "./upload.ts";

type UploadOptions = PutOptions & { readonly onBytes?: (bytes: number) => void };

/** See `openS3Bucket`. */
export async function createS3Bucket(location: S3Location, options: S3Options): Promise<Bucket> {
  return new S3Bucket(await openSession(location, options), location, options);
}

class S3Bucket implements Bucket {
  readonly type = "s3";
  readonly location: string;
  readonly removeBatch = REMOVE_BATCH;
  readonly #session: S3Session;
  readonly #keys: KeySpace;
  readonly #conditions = new Conditions();
  readonly #reader: S3Reader;
  readonly #copier: S3Copier;
  readonly #remover: S3Remover;
  readonly #lister: S3Lister;
  #versioned: boolean | undefined;

  constructor(session: S3Session, { prefix }: S3Location, options: S3Options) {
    this.location = session.location;
    this.#session = session;
    const keys = new KeySpace(prefix);
    this.#keys = keys;
    this.#reader = new S3Reader(session, keys);
    this.#copier = new S3Copier(session, keys, {
      inPartsBytes: options.copyInPartsBytes ?? COPY_IN_PARTS_BYTES,
      partBytes: options.copyPartBytes ?? COPY_PART_BYTES,
    });
    this.#remover = new S3Remover(session, keys, this.#conditions, (key, it) => this.#currentTag(key, it));
    this.#lister = new S3Lister(session, keys, options.pageSize ?? 1000);
  }

  head(key: string, options: ReadOptions = {}): Promise<BucketObjectDetail | undefined> {
    return this.#reader.head(key, options);
  }

  get(
    key: string,
    options: ReadOptions & { readonly maxBytes: number },
  ): Promise<{ readonly object: BucketObject; readonly bytes: Uint8Array } | undefined> {
    return this.#reader.get(key, options);
  }

  open(
    key: string,
    options: ReadOptions = {},
  ): Promise<{ readonly object: BucketObject; readonly body: ReadableStream<Uint8Array> } | undefined> {
    return this.#reader.open(key, options);
  }

  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<BucketObject> {
    const { client } = this.#session;
    const action = `write ${key}`;
    const input = this.#putInput(action, key, options);
    const send = (condition: ConditionHeaders) =>
      this.#session.run(
        action,
        options.signal,
        (it) => client.send(new PutObjectCommand({ ...input, ...condition, Body: bytes }), it),
      );
    const reply = await this.#conditions.apply(
      options.condition,
      send,
      () => this.#currentTag(key, options),
    );
    return toObject(this.#session, key, bytes.length, reply);
  }

  async upload(
    key: string,
    file: { readonly path: string; readonly size: number },
    options: UploadOptions = {},
  ): Promise<BucketObject> {
    if (file.size <= MAX_PUT_BYTES) return await this.#uploadAtOnce(key, file, options);
    const action = `write ${key}`;
    const { condition, signal, onBytes } = options;
    const input = this.#putInput(action, key, options);
    const upload = (headers: ConditionHeaders) =>
      uploadInParts(this.#session, {
        action,
        file,
        input: { ...input, ...headers },
        signal,
        onBytes,
        beforeComplete: () => this.#assertCondition(action, key, condition, options),
      });
    const reply = await this.#conditions.apply(condition, upload, () => this.#currentTag(key, options));
    const object = toObject(this.#session, key, file.size, reply);
    // Ceph leaves the new ETag out of its reply.
    return object.tag === "" ? await this.#headOf(action, object, options) : object;
  }

  copy(from: CopySource, to: string, options: RequestOptions = {}): Promise<Copied> {
    return this.#copier.copy(from, to, options);
  }

  remove(
    requests: readonly RemoveRequest[],
    options: RequestOptions = {},
  ): Promise<readonly RemoveFailure[]> {
    return this.#remover.remove(requests, options);
  }

  async *list(request: ListRequest): AsyncGenerator<ListPage> {
    const { signal } = request;
    const withVersions = request.versions === true &&
      await this.keepsVersions(signal === undefined ? {} : { signal });
    yield* withVersions ? this.#lister.versions(request) : this.#lister.objects(request);
  }

  /** Asked once; false as well where nobody may ask, or the server does not know versions. */
  async keepsVersions({ signal }: RequestOptions = {}): Promise<boolean> {
    if (this.#versioned !== undefined) return this.#versioned;
    const { client, bucket } = this.#session;
    try {
      const reply = await this.#session.run(
        "ask for the versioning",
        signal,
        (options) => client.send(new GetBucketVersioningCommand({ Bucket: bucket }), options),
      );
      this.#versioned = reply.Status === "Enabled";
    } catch (error) {
      if (!(error instanceof BucketError)) throw error;
      if (error.failure !== "denied" && error.failure !== "unsupported") throw error;
      this.#versioned = false;
    }
    return this.#versioned;
  }

  serverNow(): number | undefined {
    return this.#session.serverNow();
  }

  async #uploadAtOnce(
    key: string,
    file: { readonly path: string; readonly size: number },
    options: UploadOptions,
  ): Promise<BucketObject> {
    using source = await openFile(file.path);
    const bytes = await readFully(source, file.size + 1);
    if (bytes.length !== file.size) throw changedFile(file.path);
    const object = await this.put(key, bytes, options);
    options.onBytes?.(bytes.length);
    return object;
  }

  #putInput(action: string, key: string, { metadata, contentType }: PutOptions): PutObjectCommandInput {
    const target = { Bucket: this.#session.bucket, Key: this.#keys.full(key) };
    assertAddressable(this.#session, action, target.Key);
    return {
      ...target,
      ContentType: contentType ?? contentTypeOf(key),
      ...(metadata === undefined ? {} : { Metadata: { ...metadata } }),
    };
  }

  async #currentTag(key: string, { signal }: RequestOptions): Promise<string | undefined> {
    return (await this.head(key, signal === undefined ? {} : { signal }))?.tag;
  }

  async #headOf(action: string, written: BucketObject, { signal }: RequestOptions): Promise<BucketObject> {
    const found = await this.head(written.key, signal === undefined ? {} : { signal });
    if (found?.size === written.size) return found;
    const { location, endpoint } = this.#session;
    const message = "the new object is not there";
    throw new BucketError({ failure: "server", action, location, endpoint, message });
  }

  /** Some servers ignore a condition where the parts are put together, so it is looked at just before as well. */
  async #assertCondition(
    action: string,
    key: string,
    condition: WriteCondition | undefined,
    options: RequestOptions,
  ): Promise<void> {
    if (condition === undefined) return;
    const tag = await this.#currentTag(key, options);
    if ("absent" in condition ? tag === undefined : tag === condition.tag) return;
    const { location, endpoint } = this.#session;
    throw new BucketError({ failure: "precondition", action, location, endpoint });
  }
}
