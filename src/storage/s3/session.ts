/** The client of one bucket: where it is asked, with whose keys, what its clock says. One attempt a request. */
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { FetchHttpHandler } from "@smithy/fetch-http-handler";
import { UsageError } from "#/core/errors.ts";
import type { BucketError, BucketFailure } from "#/storage/bucket/bucket_error.ts";
import type { S3Location, S3Options } from "./open.ts";
import { endpointOf, fromEnvironment, isAmazon, regionOf } from "./endpoint.ts";
import { toBucketError } from "./errors.ts";

type Handler = FetchHttpHandler;
type HandlerReply = Awaited<ReturnType<Handler["handle"]>>;

/** What each request is sent with. */
export interface SendOptions {
  readonly abortSignal?: AbortSignal;
}

export class S3Session {
  readonly client: S3Client;
  readonly bucket: string;
  readonly location: string;
  /** Host and port of an endpoint that is not Amazon's. */
  readonly endpoint: string | undefined;
  readonly #replies: Replies;

  constructor(config: S3ClientConfig, replies: Replies, location: S3Location, endpoint: string | undefined) {
    this.client = new S3Client({ ...config, requestHandler: watchedHandler(replies) });
    this.#replies = replies;
    this.bucket = location.bucket;
    this.location = showLocation(location);
    this.endpoint = endpoint;
  }

  /**
   * Sends one request; `action` says what for, as in "read index.json".
   * @throws {BucketError} whatever the SDK throws
   */
  async run<T>(
    action: string,
    signal: AbortSignal | undefined,
    request: (options: SendOptions) => Promise<T>,
  ): Promise<T> {
    try {
      return await request(signal === undefined ? {} : { abortSignal: signal });
    } catch (error) {
      throw await this.failure(error, action, signal);
    }
  }

  /** What was thrown in the words of the port. @param unnamed what it is when nothing in it says so */
  async failure(
    thrown: unknown,
    action: string,
    signal: AbortSignal | undefined,
    unnamed: BucketFailure = "other",
  ): Promise<BucketError> {
    const { location, endpoint } = this;
    return toBucketError(thrown, {
      action,
      location,
      endpoint,
      signal,
      unnamed,
      secrets: signal?.aborted === true ? [] : await this.#secrets(),
    });
  }

  /** The service's clock by its last reply, in milliseconds since 1970; whole seconds. */
  serverNow(): number | undefined {
    return this.#replies.serverNow();
  }

  /** The ETags of this bucket say nothing of the bytes: its objects are encrypted with keys of their own. */
  get encrypts(): boolean {
    return this.#replies.encrypts;
  }

  async #secrets(): Promise<readonly string[]> {
    try {
      const { accessKeyId, secretAccessKey, sessionToken } = await this.client.config.credentials();
      return [secretAccessKey, accessKeyId, ...(sessionToken === undefined ? [] : [sessionToken])];
    } catch {
      return []; // there are none
    }
  }
}

/** Finds out where the bucket is, and with which checksums and paths it is asked. @throws {UsageError} an unusable endpoint */
export async function openSession(location: S3Location, options: S3Options): Promise<S3Session> {
  const common: S3ClientConfig = {
    ...fromEnvironment(options.environment ?? {}),
    maxAttempts: 1,
    // The engine compares digests of its own; a checksum of the reply would only cost the time.
    responseChecksumValidation: "WHEN_REQUIRED",
    // A wrong clock is to be told, not to be worked around after the first request.
    disableClockSkewCorrection: true,
  };
  try {
    const region = await regionOf(common);
    const url = await endpointOf({ ...common, region });
    const replies = new Replies();
    if (isAmazon(url)) return new S3Session({ ...common, region }, replies, location, undefined);
    const custom: S3ClientConfig = {
      ...common,
      region,
      endpoint: url.href,
      forcePathStyle: true,
      requestChecksumCalculation: "WHEN_REQUIRED",
    };
    return new S3Session(custom, replies, location, url.host);
  } catch (error) {
    if (isBadUrl(error)) throw badEndpoint();
    const attempt = { action: "use the endpoint", location: showLocation(location) };
    throw toBucketError(error, { ...attempt, endpoint: undefined, signal: undefined, secrets: [] });
  }
}

function isBadUrl(error: unknown): boolean {
  return error instanceof TypeError && /invalid url/i.test(error.message);
}

/** The address itself is not shown: it may hold a password. */
function badEndpoint(): UsageError {
  return new UsageError("The endpoint of S3 is not a URL", {
    hint:
      "Write it as https://host:port in AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or the profile's endpoint_url.",
  });
}

/** What all replies tell beside their own matter. */
class Replies {
  #clock: { readonly server: number; readonly steady: number } | undefined;
  encrypts = false;

  note(headers: Readonly<Record<string, string | undefined>>): void {
    const server = Date.parse(headers["date"] ?? "");
    if (!Number.isNaN(server)) this.#clock = { server, steady: performance.now() };
    const encryption = headers["x-amz-server-side-encryption"] ?? "";
    if (encryption.startsWith("aws:kms") || headers["x-amz-server-side-encryption-customer-algorithm"]) {
      this.encrypts = true;
    }
  }

  serverNow(): number | undefined {
    if (this.#clock === undefined) return undefined;
    const now = this.#clock.server + performance.now() - this.#clock.steady;
    return Math.floor(now / 1000) * 1000;
  }
}

function watchedHandler(replies: Replies): Handler {
  // A redirect would be followed with a signature for another host.
  const handler = new FetchHttpHandler({ requestInit: () => ({ redirect: "manual" }) });
  const handle = handler.handle.bind(handler);
  handler.handle = async (request, options): Promise<HandlerReply> => {
    // `fetch` would unpack what is stored packed.
    request.headers["accept-encoding"] = "identity";
    const reply = await handle(request, options);
    replies.note(reply.response.headers);
    return reply;
  };
  return handler;
}

export function showLocation({ bucket, prefix }: S3Location): string {
  return prefix === "" ? `s3://${bucket}` : `s3://${bucket}/${prefix}`;
}
