/** Objects as the service describes them: in JSON, or in the headers of a download. */
import type { BucketObject, BucketObjectDetail } from "#/storage/bucket/bucket.ts";

/** `fields` of what is read of an object. */
export const OBJECT_FIELDS = "name,size,generation,crc32c,timeCreated";
export const DETAIL_FIELDS = `${OBJECT_FIELDS},metadata`;

export interface ObjectResource {
  readonly name: string;
  /** 64-bit numbers are strings in JSON. */
  readonly size: string;
  readonly generation: string;
  readonly crc32c?: string;
  readonly timeCreated: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Keys are names without the location's prefix. */
export class GcsKeys {
  readonly #root: string;

  /** @param prefix without a slash at either end; empty for the whole bucket */
  constructor(prefix: string) {
    this.#root = prefix === "" ? "" : `${prefix}/`;
  }

  nameOf(key: string): string {
    return this.#root + key;
  }

  keyOf(name: string): string {
    return name.slice(this.#root.length);
  }
}

export function toObject(key: string, resource: ObjectResource, isVersioned: boolean): BucketObject {
  return {
    key,
    size: Number(resource.size),
    tag: resource.generation,
    contentTag: resource.crc32c === undefined ? undefined : `crc32c:${resource.crc32c}`,
    versionId: isVersioned ? resource.generation : undefined,
    modified: wholeSeconds(resource.timeCreated),
  };
}

export function toDetail(key: string, resource: ObjectResource, isVersioned: boolean): BucketObjectDetail {
  const metadata = Object.entries(resource.metadata ?? {}).map((
    [name, value],
  ) => [name.toLowerCase(), value]);
  return { ...toObject(key, resource, isVersioned), metadata: Object.fromEntries(metadata) };
}

/** Of a download; undefined when a header is missing that every download has. */
export function toDownloaded(key: string, headers: Headers, isVersioned: boolean): BucketObject | undefined {
  const generation = headers.get("x-goog-generation");
  const size = headers.get("x-goog-stored-content-length") ?? headers.get("content-length");
  if (generation === null || size === null) return undefined;
  const crc32c = crc32cOf(headers);
  return {
    key,
    size: Number(size),
    tag: generation,
    contentTag: crc32c === undefined ? undefined : `crc32c:${crc32c}`,
    versionId: isVersioned ? generation : undefined,
    modified: wholeSeconds(headers.get("last-modified") ?? 0),
  };
}

/** `x-goog-hash: crc32c=…,md5=…` */
function crc32cOf(headers: Headers): string | undefined {
  const hashes = (headers.get("x-goog-hash") ?? "").split(",").map((it) => it.trim());
  return hashes.find((it) => it.startsWith("crc32c="))?.slice("crc32c=".length);
}

/** A download tells whole seconds only; so that all ways agree, nothing more is kept. */
function wholeSeconds(time: string | number): string {
  const milliseconds = new Date(time).getTime();
  return new Date(Math.floor(milliseconds / 1000) * 1000).toISOString();
}
