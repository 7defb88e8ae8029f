/** Reading objects: what is known of them, their bytes, and lists of them. */
import {
  type BucketObject,
  type BucketObjectDetail,
  type ByteRange,
  lengthOf,
  type ListPage,
  type ListRequest,
  MAX_PUT_BYTES,
  rangeHeader,
  type ReadOptions,
  sizeInRange,
} from "#/storage/bucket/bucket.ts";
import { BucketError } from "#/storage/bucket/bucket_error.ts";
import type { ApiRequest, GcsApi } from "./api.ts";
import { Crc32c } from "./crc32c.ts";
import {
  DETAIL_FIELDS,
  type GcsKeys,
  OBJECT_FIELDS,
  type ObjectResource,
  toDetail,
  toDownloaded,
  toObject,
} from "./object.ts";

export interface OpenObject {
  readonly object: BucketObject;
  readonly body: ReadableStream<Uint8Array>;
}

/** Larger objects are only checked for their length: the engine compares their SHA-256, and a second sum costs time. */
const MAX_CHECKED_BYTES = MAX_PUT_BYTES;

interface ListReply {
  readonly items?: readonly ObjectResource[];
  readonly prefixes?: readonly string[];
  readonly nextPageToken?: string;
}

export class GcsReader {
  readonly #api: GcsApi;
  readonly #keys: GcsKeys;
  readonly #pageSize: number;

  constructor(api: GcsApi, keys: GcsKeys, pageSize: number) {
    this.#api = api;
    this.#keys = keys;
    this.#pageSize = pageSize;
  }

  async head(key: string, { signal, versionId }: ReadOptions): Promise<BucketObjectDetail | undefined> {
    const isVersioned = await this.#api.isVersioned(signal);
    const request: ApiRequest = {
      action: `look at ${key}`,
      method: "GET",
      path: this.#api.path(this.#keys.nameOf(key)),
      query: { generation: versionId, fields: DETAIL_FIELDS },
      signal,
    };
    const reply = await this.#api.find(request);
    if (reply === undefined) return undefined;
    return toDetail(key, await this.#api.json<ObjectResource>(reply, request), isVersioned);
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
      throw this.#failed("too_large", key, `${length} bytes, at most ${options.maxBytes} were expected`);
    }
    const bytes = new Uint8Array(length);
    let at = 0;
    for await (const chunk of body) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return { object, bytes };
  }

  async open(key: string, { signal, versionId, range }: ReadOptions): Promise<OpenObject | undefined> {
    const isVersioned = await this.#api.isVersioned(signal);
    const request: ApiRequest = {
      action: `read ${key}`,
      method: "GET",
      path: this.#api.path(this.#keys.nameOf(key)),
      query: { alt: "media", generation: versionId },
      headers: {
        "accept-encoding": "gzip", // or the service would unpack what is stored packed
        ...(range === undefined ? {} : { range: rangeHeader(range) }),
      },
      signal,
    };
    const reply = await this.#api.find(request);
    if (reply === undefined) return undefined;
    if (!isPacked(reply)) return await this.#opened(reply, request, key, isVersioned, range);
    await reply.body?.cancel();
    const packed = await this.#api.find({ ...request, isPlain: true });
    return packed === undefined ? undefined : await this.#opened(packed, request, key, isVersioned, range);
  }

  async #opened(
    reply: Response,
    request: ApiRequest,
    key: string,
    isVersioned: boolean,
    range: ByteRange | undefined,
  ): Promise<OpenObject> {
    const found = toDownloaded(key, reply.headers, isVersioned);
    const size = range === undefined ? found?.size : sizeInRange(reply.headers.get("content-range"));
    if (found !== undefined && size !== undefined) {
      const object = { ...found, size };
      return { object, body: this.#checked(reply, object, request, range) };
    }
    await reply.body?.cancel();
    throw this.#failed("unsupported", key, "the reply does not say which object it is, or which part of it");
  }

  async *list(request: ListRequest): AsyncGenerator<ListPage> {
    const { signal, prefix, shallow = false } = request;
    // Generations are listed in any case; whether they name versions is the bucket's matter.
    const isVersioned = request.versions === true && await this.#api.isVersioned(signal);
    let pageToken: string | undefined;
    do {
      const call: ApiRequest = {
        action: prefix === "" ? "list everything" : `list ${prefix}`,
        method: "GET",
        path: `${this.#api.path()}/o`,
        query: {
          prefix: this.#keys.nameOf(prefix) || undefined,
          delimiter: shallow ? "/" : undefined,
          maxResults: String(this.#pageSize),
          fields: `items(${OBJECT_FIELDS}),prefixes,nextPageToken`,
          pageToken,
        },
        signal,
      };
      const reply = await this.#api.send(call);
      const page = await this.#api.json<ListReply>(reply, call);
      yield {
        objects: (page.items ?? []).map((it) => toObject(this.#keys.keyOf(it.name), it, isVersioned)),
        prefixes: (page.prefixes ?? []).map((it) => this.#keys.keyOf(it)),
      };
      pageToken = page.nextPageToken;
    } while (pageToken !== undefined && pageToken !== "");
  }

  /** The body; it fails when it is not as long as the object (or its part), or does not have its checksum. */
  #checked(
    reply: Response,
    object: BucketObject,
    request: ApiRequest,
    range: ByteRange | undefined,
  ): ReadableStream<Uint8Array> {
    const reader = (reply.body ?? new Blob([]).stream()).getReader();
    const length = lengthOf(object.size, range);
    const isWhole = range === undefined || length === object.size;
    const isSummed = object.contentTag !== undefined && isWhole && object.size <= MAX_CHECKED_BYTES;
    const sum = isSummed ? new Crc32c() : undefined;
    let got = 0;
    const assertWhole = () => {
      if (got !== length) throw this.#failed("network", object.key, `${got} of ${length} bytes came`);
      if (sum === undefined || object.contentTag === `crc32c:${sum.toBase64()}`) return;
      throw this.#failed("network", object.key, "its bytes do not have the checksum that the service has");
    };
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        try {
          const { done, value } = await reader.read();
          if (value !== undefined) got += value.length;
          if (done || got > length) assertWhole();
          if (done) return controller.close();
          sum?.update(value);
          controller.enqueue(value);
        } catch (error) {
          await reader.cancel().catch(() => {});
          throw this.#api.failure(error, request);
        }
      },
      cancel: (reason) => reader.cancel(reason),
    }, { highWaterMark: 0 });
  }

  #failed(failure: BucketError["failure"], key: string, message: string): BucketError {
    return new BucketError({ failure, action: `read ${key}`, location: this.#api.location, message });
  }
}

/** Stored with a Content-Encoding: what came was unpacked on the way, and is not what the checksum is of. */
function isPacked({ headers }: Response): boolean {
  const stored = headers.get("x-goog-stored-content-encoding") ?? headers.get("content-encoding");
  return stored !== null && stored !== "identity";
}
