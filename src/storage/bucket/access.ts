/** What the parts of `BucketStore` share: the bucket, how many requests at a time, and what was found out so far. */
import { throwIfStopped } from "#/core/pace.ts";
import type { Bucket, BucketObject } from "./bucket.ts";
import { BucketError } from "./bucket_error.ts";
import { keyProblem, unsafeKey } from "#/storage/key.ts";
import type { ObjectStat } from "#/storage/object_store.ts";

export class BucketAccess {
  readonly bucket: Bucket;
  /** Requests in flight at most. */
  readonly jobs: number;
  /** Pairs of objects that hold the same bytes, by `pairOf`: copied or compared by this process. */
  readonly sameBytes: Set<string> = new Set();
  #keepsVersions: Promise<boolean> | undefined;

  constructor(bucket: Bucket, jobs: number) {
    this.bucket = bucket;
    this.jobs = Math.max(1, jobs);
  }

  /** Asked once. A bucket that does not let this user ask, or a server that does not know the question, keeps none. */
  keepsVersions(): Promise<boolean> {
    this.#keepsVersions ??= this.bucket.keepsVersions().catch((error: unknown) => {
      if (error instanceof BucketError && (error.failure === "denied" || error.failure === "unsupported")) {
        return false;
      }
      this.#keepsVersions = undefined; // a broken connection says nothing: ask again
      throw error;
    });
    return this.#keepsVersions;
  }
}

/** Names the two objects as they are now. */
export function pairOf(a: BucketObject, b: BucketObject): string {
  return [a.key, a.tag, b.key, b.tag].join("\0");
}

/** The key itself, when it can be one. @throws {UnsafePathError} */
export function checkedKey(key: string): string {
  const problem = key === "" ? "it is empty" : keyProblem(key);
  if (problem === undefined && key.isWellFormed()) return key;
  throw unsafeKey(key, problem ?? "it is not valid Unicode");
}

/** A folder's key, "" for the root, as the prefix of what is in it. @throws {UnsafePathError} */
export function prefixOf(folder: string): string {
  return folder === "" ? "" : `${checkedKey(folder)}/`;
}

export function toStat(object: BucketObject): ObjectStat {
  const { key, size, tag, modified, contentTag, versionId } = object;
  return {
    key,
    kind: "file",
    size,
    mode: 0,
    uid: null,
    gid: null,
    mtime: modified,
    tag,
    movable: false,
    ...(contentTag === undefined ? {} : { contentTag }),
    ...(versionId === undefined ? {} : { versionId }),
  };
}

/** A request that the signal ended fails as an interruption, not as a failure of the storage. */
export async function orStopped<T>(signal: AbortSignal | undefined, request: Promise<T>): Promise<T> {
  try {
    return await request;
  } catch (error) {
    throwIfStopped(signal);
    throw error;
  }
}

/** For a request's options: present only where there is a signal. */
export function withSignal(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

export function isPrecondition(error: unknown): error is BucketError {
  return error instanceof BucketError && error.failure === "precondition";
}
