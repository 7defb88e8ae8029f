/**
 * What the drivers for object storage (`s3/`, `gcs/`) give: one request a call, once, with no policy of their own.
 * Retries, deadlines and the lease are `resilient/bucket.ts`'s; folders, moves and commits are `store.ts`'s.
 *
 * Keys are relative to the location's prefix, which the driver adds and takes away. Errors are `BucketError`s.
 */
import type { StorageType } from "#/storage/object_store.ts";

/** What the service knows of an object. */
export interface BucketObject {
  readonly key: string;
  readonly size: number;
  /** ETag without quotes, or generation: what a condition compares. */
  readonly tag: string;
  /**
   * Equal for equal bytes that were written in one piece: `etag:…` or `crc32c:…`. Undefined where the service has none
   * that says something of the bytes (an object written in parts, or encrypted with a key of its own).
   */
  readonly contentTag: string | undefined;
  /** Names this very version of the object, where the bucket keeps versions. */
  readonly versionId: string | undefined;
  /** When it was written, by the service's clock. RFC 3339. */
  readonly modified: string;
}

/** An object with what only a request of its own tells. */
export interface BucketObjectDetail extends BucketObject {
  /** The user metadata, keys in lower case. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** What must hold for a write to happen, checked by the service in the same step. */
export type WriteCondition = { readonly absent: true } | { readonly tag: string };

export interface RequestOptions {
  /** Aborting gives the request up; a change may or may not have happened then. */
  readonly signal?: AbortSignal;
}

export interface PutOptions extends RequestOptions {
  readonly condition?: WriteCondition;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly contentType?: string;
}

/** One object that a copy reads. */
export interface CopySource {
  readonly key: string;
  readonly size: number;
  /** An older version than the current one. */
  readonly versionId?: string | undefined;
}

/** What to delete. With a tag the service deletes only that state of the object, where it can. */
export interface RemoveRequest {
  readonly key: string;
  readonly tag?: string | undefined;
}

export interface RemoveFailure {
  readonly key: string;
  readonly error: Error;
}

export interface ListRequest extends RequestOptions {
  /** Every key that begins with it, also in the middle of a name. */
  readonly prefix: string;
  /** Only what is directly below a prefix that ends in a slash: deeper keys appear as their folder's `prefixes`. */
  readonly shallow?: boolean;
  /** Version ids too, where the bucket keeps versions (asks in another way there). */
  readonly versions?: boolean;
}

export interface ListPage {
  readonly objects: readonly BucketObject[];
  /** Folders directly below, with the slash at the end; only with `shallow`. */
  readonly prefixes: readonly string[];
}

/** A part of an object, in bytes. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

export interface ReadOptions extends RequestOptions {
  readonly versionId?: string;
  /** Only this part (what of it the object has; it must begin within it): `size` is still that of the object. */
  readonly range?: ByteRange;
}

/** As HTTP writes it (RFC 9110, section 14.1.2). */
export function rangeHeader({ offset, length }: ByteRange): string {
  return `bytes=${offset}-${offset + length - 1}`;
}

/** The size of the object that a part came of, by `Content-Range`; undefined where the whole came. */
export function sizeInRange(contentRange: string | null | undefined): number | undefined {
  const size = /\/(\d+)$/.exec(contentRange ?? "")?.[1];
  return size === undefined ? undefined : Number(size);
}

/** How many bytes come of an object of `size` bytes. */
export function lengthOf(size: number, range: ByteRange | undefined): number {
  return range === undefined ? size : Math.max(0, Math.min(range.length, size - range.offset));
}

export interface Bucket {
  readonly type: Exclude<StorageType, "local">;
  /** As shown to people: `s3://bucket/prefix`. */
  readonly location: string;
  /** What one delete request takes at most. */
  readonly removeBatch: number;
  /** Undefined when there is no such object. */
  head(
    key: string,
    options?: RequestOptions & { readonly versionId?: string },
  ): Promise<BucketObjectDetail | undefined>;
  /** The whole object, or a part of it; no more than `maxBytes`. */
  get(
    key: string,
    options: ReadOptions & { readonly maxBytes: number },
  ): Promise<{ readonly object: BucketObject; readonly bytes: Uint8Array } | undefined>;
  /** The object as a stream. Abort the signal, or cancel the stream, to stop early. */
  open(
    key: string,
    options?: ReadOptions,
  ): Promise<{ readonly object: BucketObject; readonly body: ReadableStream<Uint8Array> } | undefined>;
  /** Writes a small object (at most `MAX_PUT_BYTES`) in one request. */
  put(key: string, bytes: Uint8Array, options?: PutOptions): Promise<BucketObject>;
  /**
   * Writes a file of any size, in parts where it is large; nothing is seen before all of it is there, and parts that
   * were sent in vain are removed. Parts are tried again by the driver. The file is read while it is sent.
   * `onBytes` is told how many bytes of the file have been sent so far.
   */
  upload(
    key: string,
    file: { readonly path: string; readonly size: number },
    options?: PutOptions & { readonly onBytes?: (bytes: number) => void },
  ): Promise<BucketObject>;
  /**
   * Copies within the service: bytes, content type, cache control, user metadata and tags. In parts where the object is
   * larger than `COPY_IN_PARTS_BYTES`.
   * @returns the new object, and its SHA-256 where the service computed one
   */
  copy(
    from: CopySource,
    to: string,
    options?: RequestOptions,
  ): Promise<{ readonly object: BucketObject; readonly sha256: string | undefined }>;
  /** Deletes at most `removeBatch` objects. What is not there is no failure. */
  remove(requests: readonly RemoveRequest[], options?: RequestOptions): Promise<readonly RemoveFailure[]>;
  /** Sorted by key, page by page. */
  list(request: ListRequest): AsyncIterable<ListPage>;
  /** Whether the bucket keeps the versions of its objects. */
  keepsVersions(options?: RequestOptions): Promise<boolean>;
  /** The service's clock, in milliseconds since 1970, by its last reply; undefined before the first one. Whole seconds. */
  serverNow(): number | undefined;
}

/** The largest object that is put in one request, and the size of a part of a larger one. */
export const MAX_PUT_BYTES = 8 * 1024 * 1024;
/** Larger objects are copied in parts, so that one request ends well within its deadline. */
export const COPY_IN_PARTS_BYTES = 1024 * 1024 * 1024;
/** The size of such a part. */
export const COPY_PART_BYTES = 256 * 1024 * 1024;

export interface BucketOptions {
  /** Requests in flight at the same time, for the size of connection pools. */
  readonly jobs: number;
  /** @default COPY_IN_PARTS_BYTES (tests use less) */
  readonly copyInPartsBytes?: number;
  /** @default COPY_PART_BYTES; at least 5 MiB */
  readonly copyPartBytes?: number;
}
