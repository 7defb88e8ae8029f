/**
 * A small, strict server of Google Cloud Storage's JSON API for tests, written from Google's documentation: the calls
 * that the driver uses, with generations, preconditions, versions, retention, resumable uploads and rewrites in rounds.
 * What it does not know it refuses with 400, so that a mistake of the driver is seen.
 */
import { badRequest, faultResponse, GcsFault } from "./gcs_errors.ts";
import {
  type Call,
  copyObject,
  deleteObject,
  getBucket,
  getObject,
  insertBucket,
  listObjects,
  patchObject,
  Rewrites,
} from "./gcs_objects.ts";
import { Query } from "./gcs_query.ts";
import { type BucketSettings, GcsState } from "./gcs_state.ts";
import { Uploads } from "./gcs_uploads.ts";

export { type GcsProcess, startGcsProcess } from "./gcs_process.ts";

export interface GcsOptions {
  /** How far one rewrite call gets. @default 1 MiB, so that tests see several rounds */
  readonly rewriteChunkBytes?: number;
  /** Decides on the Authorization header; without it anybody may do anything, as with an emulator. */
  readonly authorize?: (authorization: string | null) => boolean;
  /** @default a free one */
  readonly port?: number;
}

export interface LoggedRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly status: number;
}

/** A request as hooks see it. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  /** Aborts when the client closes the connection. */
  readonly signal: AbortSignal;
}

export interface GcsServer extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly endpoint: string;
  readonly port: number;
  /** Every request that was answered, in the order of the answers. */
  readonly requests: readonly LoggedRequest[];
  /** Resumable uploads that were neither finished nor cancelled. */
  readonly unfinishedUploads: number;
  /** What a program needs to use this server. */
  environment(): { readonly STORAGE_EMULATOR_HOST: string };
  createBucket(name: string, settings?: BucketSettings): void;
  /** Puts a hold on an object, or takes it away, as its owner would. */
  setHold(bucket: string, name: string, held: boolean): void;
  clearRequests(): void;
  /** Answers in the server's place when it returns a response: nothing is done then. */
  intercept: ((request: SeenRequest) => Response | undefined | Promise<Response | undefined>) | undefined;
  /** Replaces the reply of what was done. */
  afterwards: ((request: SeenRequest, response: Response) => Response | Promise<Response>) | undefined;
  /** The next chunk of a resumable upload is cut after this many bytes, and answered with 503. */
  breakNextChunk(afterBytes: number): void;
}

/** Starts the server on a free port of loopback. */
export function startGcs(options: GcsOptions = {}): Promise<GcsServer> {
  const state = new GcsState();
  const uploads = new Uploads();
  const rewrites = new Rewrites(options.rewriteChunkBytes ?? 1024 * 1024);
  const requests: LoggedRequest[] = [];
  const stop = new AbortController();
  const started = Deno.serve(
    { hostname: "127.0.0.1", port: options.port ?? 0, signal: stop.signal, onListen: () => {} },
    async (request) => {
      const url = new URL(request.url);
      const seen: SeenRequest = {
        method: request.method,
        path: url.pathname + url.search,
        headers: request.headers,
        get signal() {
          return request.signal;
        },
      };
      let response = await server.intercept?.(seen);
      if (response === undefined) {
        response = await answer(request, url);
        response = await server.afterwards?.(seen, response) ?? response;
      }
      requests.push({ method: seen.method, path: seen.path, status: response.status });
      return response;
    },
  );

  async function answer(request: Request, url: URL): Promise<Response> {
    try {
      if (options.authorize?.(request.headers.get("authorization")) === false) {
        throw new GcsFault(401, "authError", "Invalid Credentials", {
          "www-authenticate": 'Bearer realm="https://accounts.google.com/"',
        });
      }
      return await route(
        {
          request,
          origin: url.origin,
          state,
          query: (...allowed) => new Query(url.searchParams, allowed.flat()),
        },
        url,
        uploads,
        rewrites,
      );
    } catch (error) {
      await request.body?.cancel().catch(() => {});
      // The client went away in the middle of its body: nobody waits for the answer.
      if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Http) {
        return new Response(null, { status: 499 });
      }
      if (!(error instanceof GcsFault)) throw error;
      return faultResponse(error, url.searchParams.get("alt") === "media");
    }
  }

  const endpoint = `http://127.0.0.1:${started.addr.port}`;
  const server: GcsServer = {
    endpoint,
    port: started.addr.port,
    requests,
    get unfinishedUploads() {
      return uploads.unfinished;
    },
    environment: () => ({ STORAGE_EMULATOR_HOST: endpoint }),
    createBucket: (name, settings) => void state.create(name, settings),
    setHold: (bucket, name, temporaryHold) => {
      const owner = state.bucket(bucket);
      owner.patch(name, undefined, { ...owner.get(name).settings, temporaryHold }, {});
    },
    clearRequests: () => void requests.splice(0),
    intercept: undefined,
    afterwards: undefined,
    breakNextChunk: (afterBytes) => void (uploads.breakNextChunkAfter = afterBytes),
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await started.finished;
    },
  };
  return Promise.resolve(server);
}

function route(call: Call, url: URL, uploads: Uploads, rewrites: Rewrites): Response | Promise<Response> {
  const { method } = call.request;
  const [first, ...rest] = url.pathname.slice(1).split("/").map(decodeSegment);
  const place = first === "storage" ? rest : [first, ...rest];
  if (first === "upload" && rest[0] === "storage" && rest[1] === "v1" && rest[2] === "b" && rest[4] === "o") {
    if (rest.length === 5) return uploads.handle(call, rest[3]!);
  }
  const [version, b, bucket, o, name, verb, destinationB, toBucket, destinationO, toName] = place;
  if (first !== "storage" || version !== "v1" || b !== "b") throw new GcsFault(404, "notFound", "Not Found");
  const signature = `${method} ${place.length}`;
  if (place.length === 2 && method === "POST") return insertBucket(call);
  if (place.length === 3 && method === "GET") return getBucket(call, bucket!);
  if (place.length > 3 && o !== "o") throw new GcsFault(404, "notFound", "Not Found");
  if (signature === "GET 4") return listObjects(call, bucket!);
  if (signature === "GET 5") return getObject(call, bucket!, name!);
  if (signature === "PATCH 5") return patchObject(call, bucket!, name!);
  if (signature === "DELETE 5") return deleteObject(call, bucket!, name!);
  if (signature === "POST 10" && destinationB === "b" && destinationO === "o") {
    const [from, to] = [{ bucket: bucket!, name: name! }, { bucket: toBucket!, name: toName! }];
    if (verb === "rewriteTo") return rewrites.rewrite(call, from, to);
    if (verb === "copyTo") return copyObject(call, from, to);
  }
  throw new GcsFault(405, "methodNotAllowed", `There is no ${method} of this`);
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw badRequest("Malformed percent encoding in the path");
  }
}
