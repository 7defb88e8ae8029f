/** Whether two objects hold the same bytes: by what the service tells where it can, else by reading them. */
import { type BucketAccess, pairOf } from "./access.ts";
import type { BucketObject, BucketObjectDetail } from "./bucket.ts";
import { hashObject } from "./read.ts";
import type { ObjectStat } from "#/storage/object_store.ts";

/** User metadata of what backout published: SHA-256 of the bytes, lower-case hex. It is copied with the object. */
export const SHA256_METADATA = "backout-sha256";
/** User metadata: permission bits, octal. */
export const MODE_METADATA = "backout-mode";

/** What can be said without a request; undefined when that is nothing. */
export function quickCompare(
  a: Pick<ObjectStat, "size" | "contentTag">,
  b: Pick<BucketObject, "size" | "contentTag">,
): boolean | undefined {
  if (a.size !== b.size) return false;
  if (a.contentTag === undefined || b.contentTag === undefined) return undefined;
  return a.contentTag === b.contentTag;
}

/** True when an object is still what was seen earlier, or was written again with the same bytes. */
export function isUnchanged(object: BucketObject, expected: ObjectStat): boolean {
  return object.tag === expected.tag || quickCompare(expected, object) === true;
}

/** How closely two objects are compared. */
export interface CompareOptions {
  readonly signal?: AbortSignal | undefined;
  /** What is noted with an object says nothing: somebody else wrote one of them. @default true */
  readonly believesNotes?: boolean;
}

/**
 * Compares for certain. The content tags of a listing may differ although the bytes are the same (objects that the
 * service encrypts), so a difference is only believed when a look at the object itself says so.
 */
export async function haveSameBytes(
  access: BucketAccess,
  a: BucketObject,
  b: BucketObject,
  options: CompareOptions = {},
): Promise<boolean> {
  if (a.size !== b.size) return false;
  if (access.sameBytes.has(pairOf(a, b)) || access.sameBytes.has(pairOf(b, a))) return true;
  const same = quickCompare(toCompare(a), b) === true || await compareClosely(access, a.key, b.key, options);
  if (same) access.sameBytes.add(pairOf(a, b));
  return same;
}

async function compareClosely(
  access: BucketAccess,
  keyA: string,
  keyB: string,
  { signal, believesNotes = true }: CompareOptions,
): Promise<boolean> {
  const request = signal === undefined ? {} : { signal };
  const a = await access.bucket.head(keyA, request);
  const b = await access.bucket.head(keyB, request);
  if (a === undefined || b === undefined) return false;
  const quick = quickCompare(toCompare(a), b);
  if (quick !== undefined) return quick;
  const known = [digestInMetadata(a), digestInMetadata(b)];
  if (believesNotes && known[0] !== undefined && known[0] === known[1]) return true;
  const [readA, readB] = [
    await hashObject(access, keyA, { signal }),
    await hashObject(access, keyB, { signal }),
  ];
  return readA?.sha256 !== undefined && readA.sha256 === readB?.sha256;
}

/** The service's word for the bytes of an object where it has one, else for the object as it is. */
export function wordFor({ contentTag, tag }: Pick<BucketObject, "contentTag" | "tag">): string {
  return contentTag ?? tag;
}

/**
 * The digest that backout noted when it published the object. Whoever writes an object anew may carry its notes along: it
 * tells of two copies of one object whether they are alike, and proves nothing.
 */
export function digestInMetadata(object: BucketObjectDetail): string | undefined {
  const noted = object.metadata[SHA256_METADATA];
  return noted !== undefined && /^[0-9a-f]{64}$/.test(noted) ? noted : undefined;
}

export function toCompare(object: BucketObject): Pick<ObjectStat, "size" | "contentTag"> {
  const { size, contentTag } = object;
  return contentTag === undefined ? { size } : { size, contentTag };
}
