/** What went wrong with a request to Google Cloud Storage, from replies and from what was thrown. No secret gets through here. */
import { BucketError, type BucketFailure, failureOfStatus } from "#/storage/bucket/bucket_error.ts";

/** The request that failed. */
export interface GcsAttempt {
  readonly action: string;
  /** `gs://bucket/prefix` */
  readonly location: string;
  /** Host and port, where it is not Google's. */
  readonly endpoint: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/** What a refused request was told. */
export interface Refusal {
  readonly status: number;
  readonly reason: string | undefined;
  readonly message: string | undefined;
  /** How much this machine's clock differs from the service's, in milliseconds. */
  readonly clockOffMs: number | undefined;
}

const BY_REASON: Readonly<Record<string, BucketFailure>> = {
  conditionNotMet: "precondition",
  retentionPolicyNotMet: "retained",
  objectUnderActiveHold: "retained",
  rateLimitExceeded: "throttled",
  userRateLimitExceeded: "throttled",
  quotaExceeded: "throttled",
  required: "no_credentials",
  authError: "bad_credentials",
  backendError: "server",
  internalError: "server",
  conflict: "server",
  notImplemented: "unsupported",
  uploadTooLarge: "too_large",
};

/** A token signed here is refused from about here on. */
const MAX_CLOCK_OFF_MS = 5 * 60_000;

/** Takes a failed reply's body apart: Google's JSON, or a bare sentence. Never throws. */
export async function readRefusal(reply: Response): Promise<Refusal> {
  const text = await reply.text().catch(() => "");
  const date = Date.parse(reply.headers.get("date") ?? "");
  const facts = {
    status: reply.status,
    clockOffMs: Number.isNaN(date) ? undefined : Math.abs(Date.now() - date),
  };
  try {
    const { error } = JSON.parse(text) as {
      readonly error?: {
        readonly message?: unknown;
        readonly errors?: readonly { readonly reason?: unknown }[];
      };
    };
    return { ...facts, reason: wordOf(error?.errors?.[0]?.reason), message: wordOf(error?.message) };
  } catch {
    // A page of HTML from something on the way says nothing useful.
    const sentence = text.trim().startsWith("<") ? undefined : wordOf(text.trim());
    return { ...facts, reason: undefined, message: sentence };
  }
}

function wordOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? withoutSecrets(value) : undefined;
}

/** The failure of a request that was answered with a refusal. */
export function refusedError(refusal: Refusal, attempt: GcsAttempt, known?: BucketFailure): BucketError {
  const failure = known ?? failureOfRefusal(refusal);
  const { status, reason, message } = refusal;
  return new BucketError({
    ...where(attempt),
    failure,
    code: reason ?? String(status),
    message,
    status,
  });
}

function failureOfRefusal({ status, reason, message = "", clockOffMs = 0 }: Refusal): BucketFailure {
  if (status === 401 && clockOffMs > MAX_CLOCK_OFF_MS) return "clock_skew";
  if (status === 401) {
    if (reason === "required" || /anonymous caller|login required/i.test(message)) return "no_credentials";
    return /expired/i.test(message) ? "expired_credentials" : "bad_credentials";
  }
  const named = reason === undefined ? undefined : BY_REASON[reason];
  if (named !== undefined && reason !== "required") return named;
  return status === 410 ? "server" : failureOfStatus(status);
}

/** The failure of a request that was not answered, or whose body broke off. A BucketError stays what it is. */
export function thrownError(thrown: unknown, attempt: GcsAttempt): BucketError {
  if (thrown instanceof BucketError) return thrown;
  const { signal } = attempt;
  if (signal?.aborted === true) {
    const failure = isTimeout(signal.reason) ? "timeout" : "aborted";
    return new BucketError({ ...where(attempt), failure, cause: signal.reason });
  }
  const message = sentenceOf(thrown);
  return new BucketError({
    ...where(attempt),
    failure: failureOfThrown(thrown),
    message,
    cause: cleanCause(thrown, message),
  });
}

function failureOfThrown(thrown: unknown): BucketFailure {
  if (!(thrown instanceof Error)) return "other";
  if (thrown.name === "TimeoutError") return "timeout";
  if (thrown.name === "AbortError") return "aborted";
  // What is not allowed to this program does not become allowed by trying again.
  if (thrown instanceof Deno.errors.NotCapable) return "other";
  return thrown instanceof TypeError || isConnectionError(thrown) ? "network" : "other";
}

function isConnectionError(error: Error): boolean {
  if (/^E[A-Z_]+$/.test(String((error as { readonly code?: unknown }).code))) return true;
  return /^(Http|BadResource|InvalidData|Connection\w+|BrokenPipe|UnexpectedEof|TimedOut|NetworkUnreachable|NotConnected)$/
    .test(error.name);
}

/** The failure of looking for credentials, or of asking for a token. */
export function credentialsError(thrown: unknown, attempt: Omit<GcsAttempt, "action">): BucketError {
  const tried: GcsAttempt = { ...attempt, action: "get credentials" };
  if (thrown instanceof BucketError || attempt.signal?.aborted === true) return thrownError(thrown, tried);
  const facts = tokenFacts(thrown);
  const message = thrown instanceof SyntaxError
    ? "the credentials file is not JSON" // its own message quotes the file
    : withoutBlobs(facts.description ?? sentenceOf(thrown));
  const failure = failureOfCredentials(facts, message);
  return new BucketError({
    ...where(tried),
    failure,
    message,
    status: facts.status,
    cause: cleanCause(thrown, message),
  });
}

interface TokenFacts {
  readonly status: number | undefined;
  readonly code: string | undefined;
  readonly description: string | undefined;
}

/** What google-auth-library's transport puts into its errors. */
function tokenFacts(thrown: unknown): TokenFacts {
  const { code, status, response } = thrown as {
    readonly code?: unknown;
    readonly status?: unknown;
    readonly response?: { readonly status?: unknown; readonly data?: unknown };
  };
  const data = response?.data as
    | { readonly error?: unknown; readonly error_description?: unknown }
    | undefined;
  const said = [data?.error, data?.error_description].filter((it) => typeof it === "string").join(": ");
  const number = response?.status ?? status;
  return {
    status: typeof number === "number" ? number : undefined,
    code: typeof code === "string" ? code : undefined,
    description: said === "" ? undefined : said,
  };
}

function failureOfCredentials({ status, code }: TokenFacts, message: string): BucketFailure {
  if (/could not load the default credentials|does not exist, or it is not a file|ENOENT/i.test(message)) {
    return "no_credentials";
  }
  if (/iat and exp|reasonable timeframe/i.test(message)) return "clock_skew";
  if (/expired|revoked|invalid_rapt/i.test(message)) return "expired_credentials";
  if (status === 429) return "throttled";
  if (status !== undefined && status >= 500) return "server";
  if (status !== undefined) return "bad_credentials";
  const broken =
    /^(ECONN\w+|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EPIPE)$/.test(code ?? "") ||
    /error sending request|fetch failed|socket hang up/i.test(message);
  return broken ? "network" : "bad_credentials";
}

function where(
  { action, location, endpoint }: GcsAttempt,
): Pick<GcsAttempt, "action" | "location" | "endpoint"> {
  return { action, location, endpoint };
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof Error && reason.name === "TimeoutError";
}

function sentenceOf(thrown: unknown): string {
  return withoutSecrets(thrown instanceof Error ? thrown.message : String(thrown));
}

/** The thrown error may hold the request with its headers, so only its words go on. */
function cleanCause(thrown: unknown, message: string): Error {
  const cause = new Error(message);
  if (thrown instanceof Error) cause.name = thrown.name;
  return cause;
}

const MAX_MESSAGE = 400;

/** Without tokens, keys and signatures, and URLs without their query (the address of an upload is a key to it). */
export function withoutSecrets(text: string): string {
  return text
    .replace(/-----BEGIN[\s\S]*?(-----END[^-]*-----|$)/g, "…")
    .replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, "$1")
    .replace(/\b([a-z][a-z0-9+.-]*:\/\/[^\s?#"')]*)[?#][^\s"')]*/gi, "$1")
    .replace(
      /\b(upload_id|[a-z_]*token|assertion|client_secret|signature|X-Goog-[A-Za-z-]+)=[^\s&"')]+/gi,
      "$1=…",
    )
    .replace(/\bBearer\s+\S+/gi, "Bearer …")
    .replace(/\bya29\.[\w.-]+/g, "…")
    .replace(/\beyJ[\w-]+(\.[\w-]*)*/g, "…")
    .replace(/\b1\/\/[\w-]{10,}/g, "…")
    .slice(0, MAX_MESSAGE);
}

/** Long runs of letters and digits may be a part of a key. Only for words about credentials: names may be long too. */
function withoutBlobs(text: string): string {
  return text.replace(/[A-Za-z0-9+_=-]{40,}/g, "…");
}
