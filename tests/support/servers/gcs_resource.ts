/** How objects and buckets look in replies, and what a client may write in a body. */
import { badRequest } from "./gcs_errors.ts";
import type { Shape } from "./gcs_query.ts";
import type { BucketState, ObjectSettings, StoredObject } from "./gcs_state.ts";

export const OBJECT_SHAPE: Shape = Object.fromEntries(
  ("kind id selfLink mediaLink name bucket generation metageneration contentType storageClass size md5Hash crc32c " +
    "etag timeCreated updated timeDeleted timeStorageClassUpdated cacheControl contentEncoding contentDisposition " +
    "contentLanguage customTime temporaryHold eventBasedHold retentionExpirationTime metadata")
    .split(" ").map((name) => [name, true]),
);
export const LIST_SHAPE: Shape = { kind: true, items: OBJECT_SHAPE, prefixes: true, nextPageToken: true };
export const REWRITE_SHAPE: Shape = {
  kind: true,
  totalBytesRewritten: true,
  objectSize: true,
  done: true,
  rewriteToken: true,
  resource: OBJECT_SHAPE,
};
export const BUCKET_SHAPE: Shape = {
  ...Object.fromEntries(
    "kind id selfLink name location locationType storageClass timeCreated updated metageneration etag"
      .split(" ").map((name) => [name, true]),
  ),
  versioning: { enabled: true },
  retentionPolicy: { retentionPeriod: true, effectiveTime: true, isLocked: true },
};

export function objectResource(
  bucket: BucketState,
  object: StoredObject,
  origin: string,
): Record<string, unknown> {
  const path = `b/${bucket.name}/o/${encodeURIComponent(object.name)}`;
  return {
    kind: "storage#object",
    id: `${bucket.name}/${object.name}/${object.generation}`,
    selfLink: `${origin}/storage/v1/${path}`,
    mediaLink: `${origin}/download/storage/v1/${path}?generation=${object.generation}&alt=media`,
    name: object.name,
    bucket: bucket.name,
    generation: String(object.generation),
    metageneration: String(object.metageneration),
    storageClass: "STANDARD",
    ...object.settings,
    size: String(object.bytes.length),
    md5Hash: object.md5Hash,
    crc32c: object.crc32c,
    etag: etagOf(object),
    timeCreated: object.timeCreated,
    updated: object.updated,
    timeStorageClassUpdated: object.timeCreated,
    ...(object.timeDeleted === undefined ? {} : { timeDeleted: object.timeDeleted }),
    ...(bucket.settings.retentionSeconds === undefined
      ? {}
      : { retentionExpirationTime: bucket.retainedUntil(object)?.toISOString() }),
  };
}

export function bucketResource(bucket: BucketState, origin: string): Record<string, unknown> {
  const { versioned, retentionSeconds } = bucket.settings;
  return {
    kind: "storage#bucket",
    id: bucket.name,
    selfLink: `${origin}/storage/v1/b/${bucket.name}`,
    name: bucket.name,
    location: "EUROPE-WEST1",
    locationType: "region",
    storageClass: "STANDARD",
    timeCreated: bucket.created,
    updated: bucket.created,
    metageneration: "1",
    etag: "CAE=",
    ...(versioned ? { versioning: { enabled: true } } : {}),
    ...(retentionSeconds === undefined ? {} : {
      retentionPolicy: {
        retentionPeriod: String(retentionSeconds),
        effectiveTime: bucket.created,
        isLocked: false,
      },
    }),
  };
}

/** The headers of a download. */
export function mediaHeaders(object: StoredObject): Record<string, string> {
  const { settings } = object;
  return {
    "content-type": settings.contentType ?? "application/octet-stream",
    ...(settings.cacheControl === undefined ? {} : { "cache-control": settings.cacheControl }),
    ...(settings.contentEncoding === undefined ? {} : { "content-encoding": settings.contentEncoding }),
    "accept-ranges": "bytes",
    "etag": etagOf(object),
    "last-modified": new Date(object.updated).toUTCString(),
    "x-goog-generation": String(object.generation),
    "x-goog-metageneration": String(object.metageneration),
    "x-goog-hash": `crc32c=${object.crc32c},md5=${object.md5Hash}`,
    "x-goog-storage-class": settings.storageClass ?? "STANDARD",
    "x-goog-stored-content-encoding": settings.contentEncoding ?? "identity",
    "x-goog-stored-content-length": String(object.bytes.length),
  };
}

function etagOf(object: StoredObject): string {
  return btoa(`${object.generation}/${object.metageneration}`);
}

/** What a body of an insert says: settings of the object, its name, and checksums that must hold. */
export interface ObjectBody {
  readonly name?: string;
  readonly crc32c?: string;
  readonly md5Hash?: string;
  readonly settings: ObjectSettings;
}

const TEXT_SETTINGS =
  "contentType cacheControl contentEncoding contentDisposition contentLanguage storageClass customTime".split(
    " ",
  );
const FLAG_SETTINGS = ["temporaryHold", "eventBasedHold"];

/** Takes a JSON body apart; anything that is not known, or of the wrong type, is refused. */
export function parseObjectBody(text: string, bucket: string, nulls = false): ObjectBody {
  const body = parseJson(text);
  const settings: Record<string, unknown> = {};
  const known: Record<string, string> = {};
  for (const [name, value] of Object.entries(body)) {
    if (TEXT_SETTINGS.includes(name)) {
      settings[name] = nulls && value === null ? undefined : stringOf(name, value);
    } else if (FLAG_SETTINGS.includes(name)) {
      if (typeof value !== "boolean") throw badRequest(`Invalid value for ${name}`);
      settings[name] = value;
    } else if (name === "metadata") settings[name] = metadataOf(value, nulls);
    else if (name === "name" || name === "crc32c" || name === "md5Hash") known[name] = stringOf(name, value);
    else if (name === "bucket" && value === bucket) continue;
    else throw badRequest(`Unknown field of an object: ${name}`);
  }
  return { ...known, settings: settings as ObjectSettings };
}

export function parseJson(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw badRequest("Parse Error", "parseError");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw badRequest("Parse Error", "parseError");
  }
  return value as Record<string, unknown>;
}

function stringOf(name: string, value: unknown): string {
  if (typeof value !== "string") throw badRequest(`Invalid value for ${name}: not a string`);
  return value;
}

function metadataOf(value: unknown, nulls: boolean): Record<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw badRequest("Invalid value for metadata");
  }
  for (const [name, it] of Object.entries(value)) {
    if (typeof it !== "string" && !(nulls && it === null)) {
      throw badRequest(`Invalid value for metadata.${name}`);
    }
  }
  return value as Record<string, string>;
}
