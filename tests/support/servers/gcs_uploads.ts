/** Inserts: media, multipart and resumable, with the rules of Google's upload protocol. */
import { badRequest, GcsFault } from "./gcs_errors.ts";
import type { Call } from "./gcs_objects.ts";
import { CONDITION_NAMES, type Query } from "./gcs_query.ts";
import { OBJECT_SHAPE, type ObjectBody, objectResource, parseObjectBody } from "./gcs_resource.ts";
import { type BucketState, checkWrite, type Conditions, type StoredObject } from "./gcs_state.ts";
import { crc32cBase64 } from "./gcs_crc32c.ts";
import { createHash } from "node:crypto";

/** Every chunk but the last is a multiple of it. */
const GRANULE = 256 * 1024;

interface Session {
  readonly bucket: BucketState;
  readonly name: string;
  readonly body: ObjectBody;
  readonly conditions: Conditions;
  readonly query: Query;
  readonly total: number | undefined;
  received: Uint8Array;
  made?: StoredObject;
}

export class Uploads {
  readonly #sessions = new Map<string, Session>();
  /** Persists this much of the next chunk and answers 503. Set by a test. */
  breakNextChunkAfter: number | undefined;

  /** Sessions that were neither finished nor cancelled. */
  get unfinished(): number {
    return [...this.#sessions.values()].filter((it) => it.made === undefined).length;
  }

  async handle(call: Call, bucketName: string): Promise<Response> {
    const query = call.query(["uploadType", "name", "upload_id", "projection"], CONDITION_NAMES);
    const bucket = call.state.bucket(bucketName);
    const id = query.text("upload_id");
    const { method } = call.request;
    if (id !== undefined && method !== "POST") return await this.#onSession(call, id);
    if (method !== "POST") throw new GcsFault(405, "methodNotAllowed", "Method not allowed");
    switch (query.required("uploadType")) {
      case "media":
        return await insertMedia(call, bucket, query);
      case "multipart":
        return await insertMultipart(call, bucket, query);
      case "resumable":
        return await this.#start(call, bucket, query);
      default:
        throw badRequest("Invalid value for uploadType", "invalidParameter");
    }
  }

  async #start(call: Call, bucket: BucketState, query: Query): Promise<Response> {
    const text = await call.request.text();
    const body = text === "" ? { settings: {} } : parseObjectBody(text, bucket.name);
    const name = nameOf(query, body);
    const conditions = query.conditions();
    checkWrite(bucket.find(name), conditions);
    const length = call.request.headers.get("x-upload-content-length");
    const type = call.request.headers.get("x-upload-content-type");
    if (length !== null && !/^\d+$/.test(length)) throw badRequest("Invalid X-Upload-Content-Length");
    const id = `AP${crypto.randomUUID().replaceAll("-", "")}`;
    this.#sessions.set(id, {
      bucket,
      name,
      body: { ...body, settings: { ...(type === null ? {} : { contentType: type }), ...body.settings } },
      conditions,
      query,
      total: length === null ? undefined : Number(length),
      received: new Uint8Array(0),
    });
    const location = `${call.origin}/upload/storage/v1/b/${bucket.name}/o?uploadType=resumable` +
      `&name=${encodeURIComponent(name)}&upload_id=${id}`;
    return new Response(null, { status: 200, headers: { location, "x-guploader-uploadid": id } });
  }

  async #onSession(call: Call, id: string): Promise<Response> {
    const session = this.#sessions.get(id);
    if (session === undefined) throw new GcsFault(404, "notFound", "Upload session not found");
    if (call.request.method === "DELETE") {
      this.#sessions.delete(id);
      return new Response(null, { status: 499 });
    }
    if (call.request.method !== "PUT") throw new GcsFault(405, "methodNotAllowed", "Method not allowed");
    const range = parseContentRange(call.request.headers.get("content-range"));
    if (session.total !== undefined && range.total !== undefined && range.total !== session.total) {
      throw badRequest(`The total of Content-Range is not the X-Upload-Content-Length of ${session.total}`);
    }
    const { bytes, isWhole } = await readBody(call.request);
    if (session.made !== undefined) return finished(call, session, session.made);
    if (range.from === undefined) {
      if (bytes.length > 0) throw badRequest("A status check has no body");
      return resumeIncomplete(session);
    }
    if (isWhole && bytes.length !== range.to! - range.from + 1) {
      throw badRequest("The body is not as long as Content-Range says");
    }
    const isLast = range.total !== undefined && range.to === range.total - 1;
    if (!isLast && (range.to! - range.from + 1) % GRANULE !== 0) {
      throw badRequest("Every chunk but the last must be a multiple of 256 KiB");
    }
    const have = session.received.length;
    if (range.from > have) throw badRequest(`A chunk begins at ${range.from}, but ${have} bytes are here`);
    const cut = this.breakNextChunkAfter;
    this.breakNextChunkAfter = undefined;
    const fresh = bytes.subarray(have - range.from, cut);
    const isBroken = !isWhole || cut !== undefined;
    const kept = isBroken ? fresh.subarray(0, fresh.length - fresh.length % GRANULE) : fresh;
    session.received = joined(session.received, kept);
    if (isBroken) throw new GcsFault(503, "backendError", "Service Unavailable");
    if (!isLast) return resumeIncomplete(session);
    checkSentHash(call.request, session.received);
    try {
      session.made = make(session.bucket, session.name, session.received, session.body, session.conditions);
    } catch (error) {
      this.#sessions.delete(id);
      throw error;
    }
    return finished(call, session, session.made);
  }
}

function checkSentHash(request: Request, bytes: Uint8Array): void {
  const sent = request.headers.get("x-goog-hash");
  if (sent !== null && !sent.split(",").includes(`crc32c=${crc32cBase64(bytes)}`)) {
    throw badRequest("X-Goog-Hash does not match");
  }
}

function finished(call: Call, session: Session, made: StoredObject): Response {
  return Response.json(session.query.select(objectResource(session.bucket, made, call.origin), OBJECT_SHAPE));
}

function resumeIncomplete(session: Session): Response {
  const have = session.received.length;
  return new Response(null, { status: 308, headers: have === 0 ? {} : { range: `bytes=0-${have - 1}` } });
}

interface ContentRange {
  readonly from?: number;
  readonly to?: number;
  readonly total?: number;
}

/** `bytes 0-99/*`, `bytes 0-99/200`, `bytes *\/200`. */
function parseContentRange(value: string | null): ContentRange {
  const match = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/.exec(value ?? "");
  if (match === null) throw badRequest(`Failed to parse Content-Range header: ${value}`);
  const [, from, to, total] = match;
  if (from !== undefined && Number(from) > Number(to)) throw badRequest("Invalid Content-Range");
  return {
    ...(from === undefined ? {} : { from: Number(from), to: Number(to) }),
    ...(total === "*" || total === undefined ? {} : { total: Number(total) }),
  };
}

/** What came, and whether the connection held until the end. */
async function readBody(
  request: Request,
): Promise<{ readonly bytes: Uint8Array; readonly isWhole: boolean }> {
  const parts: Uint8Array[] = [];
  try {
    for await (const part of request.body ?? []) parts.push(part);
  } catch {
    return { bytes: joined(...parts), isWhole: false };
  }
  return { bytes: joined(...parts), isWhole: true };
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

async function insertMedia(call: Call, bucket: BucketState, query: Query): Promise<Response> {
  const type = call.request.headers.get("content-type");
  const settings = type === null ? {} : { contentType: type };
  const bytes = await call.request.bytes();
  return reply(
    call,
    bucket,
    query,
    make(bucket, query.required("name"), bytes, { settings }, query.conditions()),
  );
}

async function insertMultipart(call: Call, bucket: BucketState, query: Query): Promise<Response> {
  const type = call.request.headers.get("content-type") ?? "";
  const boundary = /^multipart\/related;\s*boundary=(?:"([^"]+)"|([^;\s]+))/.exec(type)?.slice(1).find((it) =>
    it
  );
  if (boundary === undefined) throw badRequest("Missing or invalid multipart boundary");
  const [json, content] = splitParts(await call.request.bytes(), boundary);
  if (!/^application\/json/i.test(json.type)) throw badRequest("The first part is not application/json");
  const body = parseObjectBody(new TextDecoder().decode(json.bytes), bucket.name);
  const settings = { contentType: content.type, ...body.settings };
  const made = make(bucket, nameOf(query, body), content.bytes, { ...body, settings }, query.conditions());
  return reply(call, bucket, query, made);
}

interface Part {
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** Exactly two parts, as the protocol says. */
function splitParts(body: Uint8Array, boundary: string): readonly [Part, Part] {
  const text = new TextDecoder("latin1").decode(body);
  const open = `--${boundary}\r\n`;
  const second = text.indexOf(`\r\n${open}`);
  const end = text.lastIndexOf(`\r\n--${boundary}--`);
  if (!text.startsWith(open) || second < 0 || end <= second) throw badRequest("Malformed multipart body");
  const part = (from: number, to: number): Part => {
    const head = text.indexOf("\r\n\r\n", from);
    if (head < 0 || head > to) throw badRequest("Malformed multipart body");
    const type = /^content-type:\s*([^\r\n]+)/im.exec(text.slice(from, head))?.[1];
    if (type === undefined) throw badRequest("A part has no content type");
    return { type, bytes: body.slice(head + 4, to) };
  };
  return [part(open.length, second), part(second + 2 + open.length, end)];
}

function nameOf(query: Query, body: ObjectBody): string {
  const name = query.text("name") ?? body.name;
  if (name === undefined || name === "") throw badRequest("Required parameter: name", "required");
  if (body.name !== undefined && body.name !== name) throw badRequest("Two different names");
  return name;
}

/** Checks the checksums that came along, then makes the object. */
function make(
  bucket: BucketState,
  name: string,
  bytes: Uint8Array,
  body: ObjectBody,
  conditions: Conditions,
): StoredObject {
  if (body.crc32c !== undefined && body.crc32c !== crc32cBase64(bytes)) {
    throw badRequest(`Provided CRC32C "${body.crc32c}" doesn't match calculated CRC32C.`);
  }
  if (body.md5Hash !== undefined && body.md5Hash !== createHash("md5").update(bytes).digest("base64")) {
    throw badRequest(`Provided MD5 hash "${body.md5Hash}" doesn't match calculated MD5 hash.`);
  }
  return bucket.insert(name, bytes, body.settings, conditions);
}

function reply(call: Call, bucket: BucketState, query: Query, made: StoredObject): Response {
  return Response.json(query.select(objectResource(bucket, made, call.origin), OBJECT_SHAPE));
}
