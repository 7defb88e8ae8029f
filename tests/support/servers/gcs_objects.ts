/** The calls on objects: get, list, patch, delete, rewrite, copy. */
import { gunzipSync } from "node:zlib";
import { badRequest, GcsFault, noSuchObject } from "./gcs_errors.ts";
import { CONDITION_NAMES, type Query, SOURCE_CONDITION_NAMES } from "./gcs_query.ts";
import {
  BUCKET_SHAPE,
  bucketResource,
  LIST_SHAPE,
  mediaHeaders,
  OBJECT_SHAPE,
  objectResource,
  parseJson,
  parseObjectBody,
  REWRITE_SHAPE,
} from "./gcs_resource.ts";
import { checkRead, checkWrite, type GcsState, type ObjectSettings, type StoredObject } from "./gcs_state.ts";

/** One request, taken apart. */
export interface Call {
  readonly request: Request;
  readonly origin: string;
  readonly state: GcsState;
  /** Reads the query, which may have these parameters only. */
  readonly query: (...allowed: readonly (readonly string[])[]) => Query;
}

export async function insertBucket(call: Call): Promise<Response> {
  const query = call.query(["project"]);
  const body = parseJson(await call.request.text());
  const { name, versioning, retentionPolicy, ...rest } = body;
  if (Object.keys(rest).length > 0) throw badRequest(`Unknown field of a bucket: ${Object.keys(rest)[0]}`);
  const enabled = (versioning as { enabled?: boolean } | undefined)?.enabled;
  const period = (retentionPolicy as { retentionPeriod?: string } | undefined)?.retentionPeriod;
  const bucket = call.state.create(String(name), {
    ...(enabled === undefined ? {} : { versioned: enabled }),
    ...(period === undefined ? {} : { retentionSeconds: Number(period) }),
  });
  return Response.json(query.select(bucketResource(bucket, call.origin), BUCKET_SHAPE));
}

export function getBucket(call: Call, name: string): Response {
  const query = call.query(["projection", ...CONDITION_NAMES.slice(2)]);
  return Response.json(query.select(bucketResource(call.state.bucket(name), call.origin), BUCKET_SHAPE));
}

export function getObject(call: Call, bucketName: string, name: string): Response {
  const query = call.query(["generation", "projection"], CONDITION_NAMES);
  const bucket = call.state.bucket(bucketName);
  const object = bucket.get(name, query.int64("generation"));
  checkRead(object, query.conditions());
  if (query.isMedia) return media(call.request, object);
  return Response.json(query.select(objectResource(bucket, object, call.origin), OBJECT_SHAPE));
}

function media(request: Request, object: StoredObject): Response {
  const headers = mediaHeaders(object);
  const range = request.headers.get("range");
  const isUnpacked = object.settings.contentEncoding === "gzip" &&
    !/\bgzip\b/.test(request.headers.get("accept-encoding") ?? "");
  if (isUnpacked) { // "decompressive transcoding"
    const { "content-encoding": _, ...others } = headers;
    return new Response(gunzipSync(object.bytes) as BufferSource, { headers: others });
  }
  if (range === null) {
    return new Response(object.bytes as BufferSource, {
      headers: { ...headers, "content-length": String(object.bytes.length) },
    });
  }
  const size = object.bytes.length;
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(range) ?? [];
  if (first === "" && last === "") throw badRequest(`Invalid range: ${range}`);
  const from = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const to = first === "" || last === "" ? size - 1 : Math.min(size - 1, Number(last));
  if (from > to) {
    throw new GcsFault(416, "requestedRangeNotSatisfiable", "Request range not satisfiable", {
      "content-range": `bytes */${size}`,
    });
  }
  return new Response(object.bytes.subarray(from, to + 1) as BufferSource, {
    status: 206,
    headers: { ...headers, "content-range": `bytes ${from}-${to}/${size}` },
  });
}

const MAX_PAGE = 1000;

export function listObjects(call: Call, bucketName: string): Response {
  const query = call.query([
    ..."prefix delimiter pageToken maxResults versions startOffset endOffset projection".split(" "),
  ]);
  const bucket = call.state.bucket(bucketName);
  const prefix = query.text("prefix") ?? "";
  const delimiter = query.text("delimiter");
  const limit = Number(query.int64("maxResults") ?? MAX_PAGE);
  if (limit < 1) throw badRequest("Invalid value for maxResults", "invalidParameter");
  const versions = query.flag("versions");
  const after = decodeToken(query.text("pageToken"));
  const items: StoredObject[] = [];
  const prefixes: string[] = [];
  let token: string | undefined;
  for (const name of namesAfter(bucket.names(versions), prefix, after)) {
    const cut = delimiter === undefined ? -1 : name.indexOf(delimiter, prefix.length);
    const folder = cut < 0 ? undefined : name.slice(0, cut + delimiter!.length);
    if (folder !== undefined && (folder === prefixes.at(-1) || (after?.startsWith(folder) ?? false))) {
      continue;
    }
    if (items.length + prefixes.length >= Math.min(limit, MAX_PAGE)) break;
    if (folder !== undefined) prefixes.push(folder);
    else items.push(...(versions ? bucket.versionsOf(name) : [bucket.get(name)]));
    token = encodeToken(name);
  }
  const last = token === undefined ? undefined : decodeToken(token);
  const isMore = last !== undefined &&
    [...namesAfter(bucket.names(versions), prefix, last)].some((name) => {
      const folder = prefixes.at(-1);
      return folder === undefined || !(last.startsWith(folder) && name.startsWith(folder));
    });
  return Response.json(query.select({
    kind: "storage#objects",
    ...(items.length === 0 ? {} : { items: items.map((it) => objectResource(bucket, it, call.origin)) }),
    ...(prefixes.length === 0 ? {} : { prefixes }),
    ...(isMore ? { nextPageToken: token } : {}),
  }, LIST_SHAPE));
}

/** Names with the prefix behind `after`; `names` is sorted. */
function* namesAfter(names: readonly string[], prefix: string, after: string | undefined): Generator<string> {
  // A page token names the last key of the page before; it may have been removed since.
  let at = after === undefined ? 0 : names.indexOf(after) + 1;
  if (after !== undefined && at === 0) at = names.findIndex((name) => name > after);
  if (at < 0) return;
  for (; at < names.length; at++) if (names[at]!.startsWith(prefix)) yield names[at]!;
}

function encodeToken(name: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(name)));
}

function decodeToken(token: string | undefined): string | undefined {
  if (token === undefined) return undefined;
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(token), (it) => it.charCodeAt(0)));
  } catch {
    throw badRequest("Invalid value for pageToken", "invalidParameter");
  }
}

export async function patchObject(call: Call, bucketName: string, name: string): Promise<Response> {
  const query = call.query(["generation", "projection"], CONDITION_NAMES);
  const { settings } = parseObjectBody(await call.request.text(), bucketName, true);
  const bucket = call.state.bucket(bucketName);
  const generation = query.int64("generation");
  const old = bucket.get(name, generation).settings;
  const metadata = { ...old.metadata, ...settings.metadata };
  for (const [key, value] of Object.entries(metadata)) if (value === null) delete metadata[key];
  const merged: ObjectSettings = {
    ...old,
    ...settings,
    ...(settings.metadata === undefined ? {} : { metadata }),
  };
  const changed = bucket.patch(name, generation, merged, query.conditions());
  return Response.json(query.select(objectResource(bucket, changed, call.origin), OBJECT_SHAPE));
}

export function deleteObject(call: Call, bucketName: string, name: string): Response {
  const query = call.query(["generation"], CONDITION_NAMES);
  call.state.bucket(bucketName).delete(name, query.int64("generation"), query.conditions());
  return new Response(null, { status: 204 });
}

interface CopyPlace {
  readonly bucket: string;
  readonly name: string;
}

/** One call that copies all. */
export async function copyObject(call: Call, from: CopyPlace, to: CopyPlace): Promise<Response> {
  const query = call.query(["sourceGeneration", "projection"], CONDITION_NAMES, SOURCE_CONDITION_NAMES);
  const override = await overrideOf(call.request, to.bucket);
  const source = call.state.bucket(from.bucket).get(from.name, query.int64("sourceGeneration"));
  checkWrite(source, query.conditions("ifSource"));
  const bucket = call.state.bucket(to.bucket);
  const made = bucket.insert(to.name, source.bytes, override ?? carried(source), query.conditions());
  return Response.json(query.select(objectResource(bucket, made, call.origin), OBJECT_SHAPE));
}

interface Rewrite {
  readonly call: string;
  readonly source: StoredObject;
  readonly override: string;
  done: number;
}

const MIB = 1024 * 1024;

/** Copies in rounds: each call moves on by a chunk, and the last one makes the object. */
export class Rewrites {
  readonly #running = new Map<string, Rewrite>();

  constructor(readonly chunkBytes: number) {}

  async rewrite(call: Call, from: CopyPlace, to: CopyPlace): Promise<Response> {
    const query = call.query(
      ["sourceGeneration", "projection", "rewriteToken", "maxBytesRewrittenPerCall"],
      CONDITION_NAMES,
      SOURCE_CONDITION_NAMES,
    );
    const text = await call.request.text();
    const wanted = query.int64("maxBytesRewrittenPerCall");
    if (wanted !== undefined && (wanted === 0n || wanted % BigInt(MIB) !== 0n)) {
      throw badRequest("maxBytesRewrittenPerCall must be an integral multiple of 1 MiB", "invalidParameter");
    }
    const sourceBucket = call.state.bucket(from.bucket);
    const bucket = call.state.bucket(to.bucket);
    const target = JSON.stringify([from, to, query.text("sourceGeneration")]);
    const token = query.text("rewriteToken");
    const running = token === undefined
      ? {
        call: target,
        source: sourceBucket.get(from.name, query.int64("sourceGeneration")),
        override: text,
        done: 0,
      }
      : this.#running.get(token);
    if (running === undefined || running.call !== target || running.override !== text) {
      throw badRequest("Invalid rewriteToken", "invalidParameter");
    }
    const source = sourceBucket.find(from.name, running.source.generation);
    if (source === undefined) throw noSuchObject(from.bucket, from.name);
    checkWrite(source, query.conditions("ifSource"));
    checkWrite(bucket.find(to.name), query.conditions());
    const size = source.bytes.length;
    running.done = Math.min(size, running.done + Math.min(this.chunkBytes, Number(wanted ?? Infinity)));
    const facts = {
      kind: "storage#rewriteResponse",
      totalBytesRewritten: String(running.done),
      objectSize: String(size),
    };
    if (token !== undefined) this.#running.delete(token);
    if (running.done < size) {
      const rewriteToken = crypto.randomUUID();
      this.#running.set(rewriteToken, running);
      return Response.json(query.select({ ...facts, done: false, rewriteToken }, REWRITE_SHAPE));
    }
    const settings = text === "" ? carried(source) : parseObjectBody(text, to.bucket).settings;
    const made = bucket.insert(to.name, source.bytes, settings, query.conditions());
    const resource = objectResource(bucket, made, call.origin);
    return Response.json(query.select({ ...facts, done: true, resource }, REWRITE_SHAPE));
  }
}

async function overrideOf(request: Request, bucket: string): Promise<ObjectSettings | undefined> {
  const text = await request.text();
  return text === "" ? undefined : parseObjectBody(text, bucket).settings;
}

/** A copy keeps everything but the holds. */
function carried(source: StoredObject): ObjectSettings {
  const { temporaryHold: _, eventBasedHold: __, ...settings } = source.settings;
  return settings;
}
