/**
 * The driver for Google Cloud Storage (`gs://`): one request a call, with no policy of its own.
 *
 * The requests are our own `fetch` calls of the JSON API; of the SDK (`@google-cloud/storage`) only the credentials and
 * the service's address are used. Its high-level calls cannot be aborted, hide the reply's headers (the service's clock
 * among them) and retry in ways that cannot all be turned off; a deadline has to close the connection here, and a write
 * has to be one request. The XML API, which works like S3, would lose the preconditions of writes.
 */
import {
  type Bucket,
  type BucketObject,
  type BucketObjectDetail,
  type BucketOptions,
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
import { BucketError, type BucketFailure } from "#/storage/bucket/bucket_error.ts";
import { Budget, mapLimited } from "#/storage/limit.ts";
import { type GcsEnvironment, openAccess } from "./access.ts";
import { type ApiRequest, GcsApi } from "./api.ts";
import { Crc32c } from "./crc32c.ts";
import { GcsKeys, OBJECT_FIELDS, type ObjectResource, toObject } from "./object.ts";
import { GcsReader, type OpenObject } from "./read.ts";
import { uploadResumably } from "./upload.ts";

export interface GcsLocation {
  readonly bucket: string;
  /** Without a slash at either end; empty for the whole bucket. */
  readonly prefix: string;
}

export interface GcsOptions extends BucketOptions {
  /**
   * The variables to use instead of the process's: STORAGE_EMULATOR_HOST and GOOGLE_APPLICATION_CREDENTIALS. Given
   * both, the emulator is asked with these credentials (tests).
   */
  readonly environment?: GcsEnvironment;
  /** @default 1000 keys a page of a listing (tests use less) */
  readonly pageSize?: number;
}

type UploadOptions = PutOptions & { readonly onBytes?: (bytes: number) => void };

/** Bytes of files that all uploads of a bucket hold at the same time. */
const UPLOAD_MEMORY = 16 * 1024 * 1024;
const MIB = 1024 * 1024;

/** Failures of the bucket or of who asks: what is true of one object is true of all. */
const OF_ALL: ReadonlySet<BucketFailure> = new Set([
  "aborted",
  "no_credentials",
  "bad_credentials",
  "expired_credentials",
  "missing_bucket",
  "clock_skew",
]);

/** Opens a bucket. Nothing is asked of the service before the first call. @throws {UsageError} an unusable endpoint */
export async function openGcsBucket(location: GcsLocation, options: GcsOptions): Promise<Bucket> {
  const shown = location.prefix === ""
    ? `gs://${location.bucket}`
    : `gs://${location.bucket}/${location.prefix}`;
  const api = new GcsApi(await openAccess(options.environment), location.bucket, shown);
  return new GcsBucket(api, new GcsKeys(location.prefix), options);
}

class GcsBucket implements Bucket {
  readonly type = "gcs";
  readonly location: string;
  readonly removeBatch = 100;
  readonly #api: GcsApi;
  readonly #keys: GcsKeys;
  readonly #options: GcsOptions;
  readonly #reader: GcsReader;
  readonly #memory = new Budget(UPLOAD_MEMORY);

  constructor(api: GcsApi, keys: GcsKeys, options: GcsOptions) {
    this.location = api.location;
    this.#api = api;
    this.#keys = keys;
    this.#options = options;
    this.#reader = new GcsReader(api, keys, options.pageSize ?? 1000);
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

  open(key: string, options: ReadOptions = {}): Promise<OpenObject | undefined> {
    return this.#reader.open(key, options);
  }

  list(request: ListRequest): AsyncIterable<ListPage> {
    return this.#reader.list(request);
  }

  /** In one request, with a checksum that the service compares before the object appears. */
  async put(key: string, bytes: Uint8Array, options: PutOptions = {}): Promise<BucketObject> {
    const isVersioned = await this.#api.isVersioned(options.signal);
    const { boundary, body } = multipart(settingsOf(options, bytes), bytes);
    const request: ApiRequest = {
      action: `write ${key}`,
      method: "POST",
      path: `/upload${this.#api.path()}/o`,
      query: {
        uploadType: "multipart",
        name: this.#keys.nameOf(key),
        fields: OBJECT_FIELDS,
        ...conditionQuery(options.condition),
      },
      headers: { "content-type": `multipart/related; boundary=${boundary}` },
      body,
      signal: options.signal,
    };
    const reply = await this.#api.send(request);
    return toObject(key, await this.#api.json<ObjectResource>(reply, request), isVersioned);
  }

  async upload(
    key: string,
    file: { readonly path: string; readonly size: number },
    options: UploadOptions = {},
  ): Promise<BucketObject> {
    if (file.size <= MAX_PUT_BYTES) {
      return await this.#memory.use(file.size, () => this.#uploadAtOnce(key, file, options));
    }
    const isVersioned = await this.#api.isVersioned(options.signal);
    const made = await uploadResumably(this.#api, {
      action: `write ${key}`,
      name: this.#keys.nameOf(key),
      file,
      settings: settingsOf(options),
      query: conditionQuery(options.condition),
      signal: options.signal,
      onBytes: options.onBytes,
      memory: this.#memory,
    });
    return toObject(key, made, isVersioned);
  }

  async copy(
    from: CopySource,
    to: string,
    { signal }: RequestOptions = {},
  ): Promise<{ readonly object: BucketObject; readonly sha256: undefined }> {
    const isVersioned = await this.#api.isVersioned(signal);
    const target = this.#api.path(this.#keys.nameOf(to)).replace("/storage/v1/", "");
    let rewriteToken: string | undefined;
    for (;;) {
      // Without a body the new object gets everything that the old one says of itself.
      const request: ApiRequest = {
        action: `copy ${from.key} to ${to}`,
        method: "POST",
        path: `${this.#api.path(this.#keys.nameOf(from.key))}/rewriteTo/${target}`,
        query: {
          sourceGeneration: from.versionId,
          maxBytesRewrittenPerCall: this.#roundOf(from.size),
          fields: `done,rewriteToken,resource(${OBJECT_FIELDS})`,
          rewriteToken,
        },
        signal,
      };
      const reply = await this.#api.send(request);
      const { resource, ...rest } = await this.#api.json<RewriteReply>(reply, request);
      if (resource !== undefined) return { object: toObject(to, resource, isVersioned), sha256: undefined };
      if (rest.rewriteToken === undefined) {
        throw this.#api.failure(new Error("the service neither finished nor went on"), request);
      }
      rewriteToken = rest.rewriteToken;
    }
  }

  /** One request an object, `jobs` at a time: the service has no other way that knows conditions. */
  async remove(
    requests: readonly RemoveRequest[],
    { signal }: RequestOptions = {},
  ): Promise<readonly RemoveFailure[]> {
    if (signal?.aborted === true) {
      throw this.#api.failure(signal.reason, { action: "remove objects", signal });
    }
    const failed: RemoveFailure[] = [];
    await mapLimited(requests, this.#options.jobs, async ({ key, tag }) => {
      try {
        const reply = await this.#api.find({
          action: `remove ${key}`,
          method: "DELETE",
          path: this.#api.path(this.#keys.nameOf(key)),
          query: { ifGenerationMatch: tag },
          signal,
        });
        await reply?.body?.cancel();
      } catch (error) {
        if (!(error instanceof BucketError) || OF_ALL.has(error.failure)) throw error;
        failed.push({ key, error });
      }
    });
    return failed;
  }

  keepsVersions({ signal }: RequestOptions = {}): Promise<boolean> {
    return this.#api.isVersioned(signal);
  }

  serverNow(): number | undefined {
    return this.#api.serverNow();
  }

  async #uploadAtOnce(
    key: string,
    file: { readonly path: string; readonly size: number },
    options: UploadOptions,
  ): Promise<BucketObject> {
    const { onBytes, ...rest } = options;
    const bytes = await Deno.readFile(file.path);
    if (bytes.length !== file.size) {
      throw this.#api.failure(new Error(`${file.path} changed while it was read`), {
        action: `write ${key}`,
      });
    }
    const object = await this.put(key, bytes, rest);
    onBytes?.(file.size);
    return object;
  }

  /** How far one request goes: all the way where the object is not large. A multiple of 1 MiB, as the service wants it. */
  #roundOf(size: number): string | undefined {
    const { copyInPartsBytes = COPY_IN_PARTS_BYTES, copyPartBytes = COPY_PART_BYTES } = this.#options;
    if (size <= copyInPartsBytes) return undefined;
    return String(Math.max(1, Math.floor(copyPartBytes / MIB)) * MIB);
  }
}

interface RewriteReply {
  readonly resource?: ObjectResource;
  readonly rewriteToken?: string;
}

function conditionQuery(condition: WriteCondition | undefined): Readonly<Record<string, string | undefined>> {
  if (condition === undefined) return {};
  return { ifGenerationMatch: "absent" in condition ? "0" : condition.tag };
}

/** The new object's settings as JSON; with its bytes, their checksum too. */
function settingsOf({ contentType, metadata }: PutOptions, bytes?: Uint8Array): string {
  return JSON.stringify({
    contentType: contentType ?? "application/octet-stream",
    metadata,
    crc32c: bytes === undefined ? undefined : new Crc32c().update(bytes).toBase64(),
  });
}

/** Settings and bytes as one body. */
function multipart(settings: string, bytes: Uint8Array): { boundary: string; body: Uint8Array<ArrayBuffer> } {
  const boundary = crypto.randomUUID();
  const head = new TextEncoder().encode(
    `--${boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n${settings}\r\n` +
      `--${boundary}\r\nContent-Type: application/octet-stream\r\n\r\n`,
  );
  const tail = new TextEncoder().encode(`\r\n--${boundary}--`);
  const body = new Uint8Array(head.length + bytes.length + tail.length);
  body.set(head);
  body.set(bytes, head.length);
  body.set(tail, head.length + bytes.length);
  return { boundary, body };
}
