/** Keys and replies of S3 in the words of the port. */
import type { BucketObject } from "#/storage/bucket/bucket.ts";
import { BucketError } from "#/storage/bucket/bucket_error.ts";
import type { S3Session } from "./session.ts";

/** What the replies of S3 say of an object. */
export interface S3Facts {
  readonly ETag?: string | undefined;
  readonly VersionId?: string | undefined;
  readonly LastModified?: Date | undefined;
}

/** The object as the port shows it. Where the reply has no time, it is now, by the service's clock. */
export function toObject(session: S3Session, key: string, size: number, facts: S3Facts): BucketObject {
  const tag = unquoted(facts.ETag ?? "");
  const modified = facts.LastModified ?? new Date(session.serverNow() ?? Date.now());
  return {
    key,
    size,
    tag,
    contentTag: isDigest(tag) && !session.encrypts ? `etag:${tag}` : undefined,
    versionId: facts.VersionId,
    modified: modified.toISOString(),
  };
}

/** ETags come in quotes, from some servers without. */
export function unquoted(etag: string): string {
  return etag.replace(/^(W\/)?"(.*)"$/, "$2");
}

/** The MD5 of an object that was written in one piece; one written in parts has a dash and their number. */
function isDigest(tag: string): boolean {
  return /^[0-9a-f]{32}$/.test(tag);
}

/** Keys within the bucket of keys within the prefix, and back. */
export class KeySpace {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix === "" ? "" : `${prefix}/`;
  }

  full(key: string): string {
    return this.#prefix + key;
  }

  relative(fullKey: string): string {
    return fullKey.slice(this.#prefix.length);
  }
}

/** Parts of a path that URLs resolve away: such a key cannot be asked for, and must not become another one. */
export function assertAddressable(session: S3Session, action: string, fullKey: string): void {
  if (!fullKey.split("/").some((part) => part === "." || part === "..")) return;
  throw new BucketError({
    failure: "other",
    action,
    location: session.location,
    message: "the key has a . or .. part, which a URL cannot name",
  });
}
