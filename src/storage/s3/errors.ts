/** What went wrong with a request to S3, from what the SDK throws. No secret gets through here. */
import { BucketError, type BucketFailure, failureOfStatus } from "#/storage/bucket/bucket_error.ts";

/** The request that failed. */
export interface S3Attempt {
  readonly action: string;
  readonly location: string;
  readonly endpoint: string | undefined;
  readonly signal: AbortSignal | undefined;
  /** What it is when nothing in the error says so. @default "other" */
  readonly unnamed?: BucketFailure;
  /** Values that no message may show. */
  readonly secrets: readonly string[];
}

/** What the SDK's errors carry; every field may be missing. */
interface SdkError {
  readonly name?: string;
  readonly message?: string;
  readonly code?: string;
  readonly Code?: string;
  readonly Region?: string;
  readonly cause?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
  readonly $response?: {
    readonly statusCode?: number;
    readonly headers?: Readonly<Record<string, string | undefined>>;
  };
}

const BY_CODE: Readonly<Record<string, BucketFailure>> = {
  PreconditionFailed: "precondition",
  NoSuchBucket: "missing_bucket",
  InvalidAccessKeyId: "bad_credentials",
  SignatureDoesNotMatch: "bad_credentials",
  InvalidToken: "bad_credentials",
  InvalidClientTokenId: "bad_credentials",
  UnrecognizedClientException: "bad_credentials",
  AccessDenied: "denied",
  AllAccessDisabled: "denied",
  Forbidden: "denied",
  ExpiredToken: "expired_credentials",
  ExpiredTokenException: "expired_credentials",
  TokenRefreshRequired: "expired_credentials",
  RequestTimeTooSkewed: "clock_skew",
  RequestInTheFuture: "clock_skew",
  PermanentRedirect: "wrong_region",
  TemporaryRedirect: "wrong_region",
  AuthorizationHeaderMalformed: "wrong_region",
  IllegalLocationConstraintException: "wrong_region",
  SlowDown: "throttled",
  ServiceUnavailable: "throttled",
  Throttling: "throttled",
  ThrottlingException: "throttled",
  ThrottledException: "throttled",
  RequestThrottled: "throttled",
  RequestThrottledException: "throttled",
  RequestLimitExceeded: "throttled",
  BandwidthLimitExceeded: "throttled",
  TooManyRequests: "throttled",
  TooManyRequestsException: "throttled",
  InternalError: "server",
  OperationAborted: "server",
  ConditionalRequestConflict: "server",
  RequestTimeout: "timeout",
  IncompleteBody: "network",
  BadDigest: "network",
  XAmzContentSHA256Mismatch: "network",
  ObjectLockConfigurationNotFoundError: "unsupported",
  NotImplemented: "unsupported",
  MethodNotAllowed: "unsupported",
  EntityTooLarge: "too_large",
};

const RETENTION = /object.?lock|retention|legal.?hold|\bworm\b/i;
const CREDENTIALS = /^(CredentialsProviderError|TokenProviderError|ProviderError)$/;
/** Words that the SDK puts where the reply had none. */
const NO_WORD = /^(Unknown|UnknownError|Error|UnknownException)$/;
const BROKEN = new RegExp(
  "error sending request|fetch failed|connection|connect error|dns|tls|certificate|reading a body|body from|unexpected end|" +
    "\\b(ECONNREFUSED|ECONNRESET|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)\\b",
  "i",
);

/** Turns what the SDK threw into a BucketError. A BucketError stays what it is. */
export function toBucketError(thrown: unknown, attempt: S3Attempt): BucketError {
  if (thrown instanceof BucketError) return thrown;
  const error: SdkError = thrown instanceof Error ? thrown : { message: String(thrown) };
  const status = statusOf(error);
  const code = codeOf(error);
  const failure = failureOf(error, code, status, attempt);
  const message = messageOf(error, failure, attempt);
  const isTheirWord = status !== undefined || (code !== undefined && CREDENTIALS.test(code));
  return new BucketError({
    failure,
    action: attempt.action,
    location: attempt.location,
    code: isTheirWord ? code : undefined,
    message,
    status,
    requestId: requestIdOf(error),
    endpoint: attempt.endpoint,
    cause: cleanCause(error, message, status),
  });
}

/** The HTTP status of a failed request, undefined when there was no reply. */
export function statusOf(error: SdkError): number | undefined {
  return error.$metadata?.httpStatusCode ?? error.$response?.statusCode;
}

/** The service's word for the failure, undefined when the reply had none (HEAD). */
export function codeOf(error: SdkError): string | undefined {
  const word = error.Code ?? error.name;
  return word === undefined || NO_WORD.test(word) ? undefined : word;
}

function failureOf(
  error: SdkError,
  code: string | undefined,
  status: number | undefined,
  { signal, unnamed = "other" }: S3Attempt,
): BucketFailure {
  if (signal?.aborted === true) return isTimeout(signal.reason) ? "timeout" : "aborted";
  if (code !== undefined && CREDENTIALS.test(code)) {
    return /expired|re-?authenticate|refresh/i.test(error.message ?? "")
      ? "expired_credentials"
      : "no_credentials";
  }
  if (code === "AuthorizationHeaderMalformed" && regionOf(error) === undefined) return "bad_credentials";
  const known = code === undefined ? undefined : BY_CODE[code];
  if (known === "denied" && RETENTION.test(error.message ?? "")) return "retained";
  if (known !== undefined) return known;
  if (code === "TimeoutError") return "timeout";
  if (code === "AbortError") return "aborted";
  if (status !== undefined && (status < 200 || status >= 300)) return failureOfS3Status(status);
  return BROKEN.test(`${error.message} ${error.code} ${causeText(error)}`) ? "network" : unnamed;
}

function failureOfS3Status(status: number): BucketFailure {
  if (status >= 300 && status < 400) return "wrong_region";
  if (status === 503) return "throttled";
  return status === 507 ? "other" : failureOfStatus(status); // 507, full: trying again does not help
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof Error && reason.name === "TimeoutError";
}

function messageOf(error: SdkError, failure: BucketFailure, attempt: S3Attempt): string | undefined {
  if (failure === "timeout" || failure === "aborted") return undefined;
  const region = regionOf(error);
  if (failure === "wrong_region" && region !== undefined) return `it is in ${region}`;
  const said = (failure === "network" ? innermost(error) : error.message ?? "").trim();
  if (said === "" || NO_WORD.test(said)) return undefined;
  return withoutSecrets(said, attempt.secrets).replace(
    /^error sending request[^:]*: (client error \(\w+\): )?/,
    "",
  );
}

/** The region that the reply names as the bucket's. */
function regionOf(error: SdkError): string | undefined {
  const region = error.Region ?? error.$response?.headers?.["x-amz-bucket-region"];
  return region !== undefined && /^[a-z0-9-]{1,40}$/.test(region) ? region : undefined;
}

function requestIdOf(error: SdkError): string | undefined {
  return error.$metadata?.requestId ?? error.$response?.headers?.["x-amz-request-id"];
}

/** The SDK's own error holds the request with its headers, so only its words go on. */
function cleanCause(error: SdkError, message: string | undefined, status: number | undefined): Error {
  const cause = new Error(message ?? error.name ?? "");
  cause.name = error.name ?? "Error";
  return status === undefined ? cause : Object.assign(cause, { status });
}

/** `fetch failed` says nothing; what it wraps does. */
function innermost(error: SdkError): string {
  const { cause, message = "" } = error;
  return cause instanceof Error && /^fetch failed$/i.test(message) ? innermost(cause) : message;
}

function causeText(error: SdkError): string {
  return error.cause instanceof Error ? `${error.cause.name} ${error.cause.message}` : "";
}

/** Without keys, tokens, signatures, and without URLs (which may be signed or hold a password). */
function withoutSecrets(text: string, secrets: readonly string[]): string {
  let clean = text.replace(
    / ?\(?\b[a-z][a-z0-9+.-]*:\/\/[^\s)]*\)?/gi,
    (url) => url.startsWith(" ") ? " …" : "…",
  )
    .replace(/\b(Credential|Signature|SignedHeaders|X-Amz-[A-Za-z-]+|AWSAccessKeyId)=[^\s,&]*/gi, "…")
    .replace(/\b(AKIA|ASIA)[A-Z0-9]{12,}\b/g, "…");
  for (const secret of secrets) {
    if (secret.length >= 4) clean = clean.replaceAll(secret, "…");
  }
  return clean.length > 500 ? `${clean.slice(0, 499)}…` : clean;
}
