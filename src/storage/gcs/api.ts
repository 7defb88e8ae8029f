/** Requests of the JSON API: one call, one request; refusals become BucketErrors. */
import type { BucketError } from "#/storage/bucket/bucket_error.ts";
import type { GcsAccess } from "./access.ts";
import { fetchPlainly } from "./plain_fetch.ts";
import {
  credentialsError,
  type GcsAttempt,
  readRefusal,
  type Refusal,
  refusedError,
  thrownError,
} from "./errors.ts";

export interface ApiRequest {
  /** A verb phrase for errors: `read index.json`. */
  readonly action: string;
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** From `/storage/v1` or `/upload/storage/v1` on, encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer> | string;
  readonly signal?: AbortSignal | undefined;
  /** The address is the key, as that of an upload: no credentials are sent. */
  readonly isBearer?: boolean;
  /** Through a client that leaves a packed body packed. */
  readonly isPlain?: boolean;
  /** A status that is no refusal, beside 2xx. */
  readonly accept?: number;
}

export class GcsApi {
  readonly bucket: string;
  /** As shown to people. */
  readonly location: string;
  readonly #access: GcsAccess;
  /** Host and port where it is not Google's. */
  readonly #endpoint: string | undefined;
  #clock: { readonly server: number; readonly steady: number } | undefined;
  #versioned: boolean | undefined;

  constructor(access: GcsAccess, bucket: string, location: string) {
    this.bucket = bucket;
    this.location = location;
    this.#access = access;
    this.#endpoint = access.isCustom ? new URL(access.endpoint).host : undefined;
  }

  /** The service's clock by its last reply, in milliseconds since 1970; whole seconds. */
  serverNow(): number | undefined {
    if (this.#clock === undefined) return undefined;
    const now = this.#clock.server + performance.now() - this.#clock.steady;
    return Math.floor(now / 1000) * 1000;
  }

  /** Path of the bucket, or of one of its objects. */
  path(name?: string): string {
    const bucket = `/storage/v1/b/${encodeURIComponent(this.bucket)}`;
    return name === undefined ? bucket : `${bucket}/o/${encodeURIComponent(name)}`;
  }

  /** Sends a request about something that must be there. @throws {BucketError} */
  async send(request: ApiRequest): Promise<Response> {
    const reply = await this.#fetch(request);
    if (isAccepted(reply, request)) return reply;
    const refusal = await readRefusal(reply);
    throw refusedError(refusal, this.attempt(request), await this.#isBucketMissing(refusal, request));
  }

  /** Sends a request about an object; undefined when there is no such object. @throws {BucketError} */
  async find(request: ApiRequest): Promise<Response | undefined> {
    const reply = await this.#fetch(request);
    if (isAccepted(reply, request)) return reply;
    const refusal = await readRefusal(reply);
    const missing = await this.#isBucketMissing(refusal, request);
    if (refusal.status === 404 && missing === undefined) return undefined;
    throw refusedError(refusal, this.attempt(request), missing);
  }

  /** The body of a reply. @throws {BucketError} when it breaks off, or is not JSON */
  async json<T>(reply: Response, request: ApiRequest): Promise<T> {
    try {
      return await reply.json() as T;
    } catch (error) {
      // What answers with something else than JSON, or half of it, is not the service.
      const thrown = error instanceof SyntaxError ? new TypeError("the reply is not JSON") : error;
      throw thrownError(thrown, this.attempt(request));
    }
  }

  /** Whether the bucket keeps versions; asked once. False as well where nobody may ask. */
  async isVersioned(signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#versioned !== undefined) return this.#versioned;
    const request: ApiRequest = {
      action: "look at the bucket",
      method: "GET",
      path: this.path(),
      query: { fields: "versioning" },
      signal,
    };
    const reply = await this.#fetch(request);
    if (reply.ok) {
      const { versioning } = await this.json<{ versioning?: { enabled?: boolean } }>(reply, request);
      return this.#versioned = versioning?.enabled === true;
    }
    const refusal = await readRefusal(reply);
    const missing = refusal.status === 404 ? "missing_bucket" : undefined;
    const error = refusedError(refusal, this.attempt(request), missing);
    // Many may read and write objects but not look at the bucket.
    if (error.failure !== "denied") throw error;
    return this.#versioned = false;
  }

  attempt(
    { action, signal }: { readonly action: string; readonly signal?: AbortSignal | undefined },
  ): GcsAttempt {
    return { action, location: this.location, endpoint: this.#endpoint, signal };
  }

  /** An error of a body that broke off, or of a request that was given up. */
  failure(
    thrown: unknown,
    request: { readonly action: string; readonly signal?: AbortSignal | undefined },
  ): BucketError {
    return thrownError(thrown, this.attempt(request));
  }

  async #fetch(request: ApiRequest): Promise<Response> {
    const { method, signal, body } = request;
    const headers = new Headers(request.headers);
    if (!request.isBearer) {
      for (const [name, value] of await this.#authorization(signal)) headers.set(name, value);
    }
    try {
      const reply = await (request.isPlain ? fetchPlainly : fetch)(this.#url(request), {
        method,
        headers,
        redirect: "manual", // 308 is an answer here, and credentials go nowhere else
        ...(body === undefined ? {} : { body }),
        ...(signal === undefined ? {} : { signal }),
      });
      const server = Date.parse(reply.headers.get("date") ?? "");
      if (!Number.isNaN(server)) this.#clock = { server, steady: performance.now() };
      return reply;
    } catch (error) {
      throw thrownError(error, this.attempt(request));
    }
  }

  #url({ path, query = {} }: ApiRequest): string {
    const given = Object.entries(query).filter((it): it is [string, string] => it[1] !== undefined);
    // Not a form's way of writing: `+` for a space is not understood everywhere.
    const text = given.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
    return `${this.#access.endpoint}${path}${text === "" ? "" : `${path.includes("?") ? "&" : "?"}${text}`}`;
  }

  async #authorization(signal: AbortSignal | undefined): Promise<readonly (readonly [string, string])[]> {
    try {
      return await raced(this.#access.authorization(), signal);
    } catch (error) {
      throw credentialsError(error, { location: this.location, endpoint: undefined, signal });
    }
  }

  /** Of a 404: "missing_bucket" when it is the bucket that is not there. */
  async #isBucketMissing(refusal: Refusal, { signal }: ApiRequest): Promise<"missing_bucket" | undefined> {
    if (refusal.status !== 404) return undefined;
    const { message = "" } = refusal;
    if (/bucket does not exist/i.test(message)) return "missing_bucket";
    if (/no such object/i.test(message) || this.#versioned !== undefined) return undefined;
    await this.isVersioned(signal); // throws when there is none
    return undefined;
  }
}

function isAccepted(reply: Response, request: ApiRequest): boolean {
  return reply.ok || reply.status === request.accept;
}

/** Gives up waiting when the signal aborts; the SDK's own requests cannot be stopped. */
async function raced<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  signal.throwIfAborted();
  promise.catch(() => {}); // it may fail when nobody waits any more
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
