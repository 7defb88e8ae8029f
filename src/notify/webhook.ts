/** One message to one webhook: one attempt (`post`), or several within a time (`deliver`). Nothing here throws. */
import { VERSION } from "#/core/version.ts";
import { EVENT_CONTENT_TYPE } from "./event.ts";
import { SIGNATURE_HEADER, signatureOf } from "./signature.ts";
import type { WebhookTarget } from "./target.ts";
import type { NotifyTools, TimeLimit } from "./tools.ts";

export const DELIVERY_LIMITS = {
  /** With the first one. */
  attempts: 4,
  /** The longest first pause; every further one is twice as long, in milliseconds. */
  baseMs: 200,
  capMs: 1_000,
} as const;

/** What became of an attempt. `reason` is the end of a sentence and holds nothing of URL, body, secret or answer. */
export type Delivery =
  | { readonly kind: "delivered" }
  /** May go better in a moment. */
  | { readonly kind: "again"; readonly reason: string; readonly retryAfterMs?: number }
  /** Goes better only when somebody has changed something: the message waits. */
  | { readonly kind: "later"; readonly reason: string }
  /** The receiver does not want this message. It will not want it later. */
  | { readonly kind: "rejected"; readonly reason: string };

/** The receiver has read the message and says that it is wrong, too large or of the wrong kind. */
const REJECTED: ReadonlySet<number> = new Set([400, 413, 415, 422]);
const TRANSIENT: ReadonlySet<number> = new Set([408, 425, 429]);

/** What a failed request says, in words; the system's own message holds the URL. */
const FAILURES: readonly (readonly [RegExp, string])[] = [
  [/connection refused/i, "the connection was refused"],
  [/dns|lookup|resolve/i, "its name could not be resolved"],
  [/certificate|tls|ssl|handshake/i, "its certificate was not accepted"],
  [/unreachable/i, "the network cannot reach it"],
  [/reset|closed|broken|incomplete|unexpected eof|not connected/i, "the connection broke"],
];

/** A message ready to send. */
export interface Message {
  /** The CloudEvent, exactly as it is signed and sent. */
  readonly body: string;
}

/** Sends a message, again and again while that may help, within a time. */
export async function deliver(
  target: WebhookTarget,
  message: Message,
  tools: NotifyTools,
  limit: TimeLimit,
): Promise<Delivery> {
  for (let attempt = 1;; attempt++) {
    const delivery = await post(target, message, tools, limit.signal);
    if (delivery.kind !== "again" || attempt >= DELIVERY_LIMITS.attempts) return delivery;
    const pauseMs = delivery.retryAfterMs ?? backoffMs(attempt, tools.random);
    if (pauseMs >= limit.left) return delivery;
    await tools.sleep(pauseMs, limit.signal);
    if (limit.signal.aborted) return delivery;
  }
}

/** Exponential with full jitter, so that many who failed together do not come back together. */
function backoffMs(attempt: number, random: () => number): number {
  return random() * Math.min(DELIVERY_LIMITS.capMs, DELIVERY_LIMITS.baseMs * 2 ** (attempt - 1));
}

/** Sends a message once. Redirects are not followed: they would carry it to whom nobody named. */
export async function post(
  target: WebhookTarget,
  { body }: Message,
  tools: NotifyTools,
  signal: AbortSignal,
): Promise<Delivery> {
  const url = URL.parse(target.webhook);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    return { kind: "later", reason: "its address is not an http or https URL" };
  }
  if (!tools.mayConnect(url)) return { kind: "later", reason: "the network is not to be used" };
  const signature = sign(target, body, tools);
  if (signature === undefined) {
    return { kind: "later", reason: `the environment variable ${target.secret_env} is not set` };
  }
  try {
    const request = tools.fetch(target.webhook, {
      method: "POST",
      headers: { "content-type": EVENT_CONTENT_TYPE, "user-agent": `backout/${VERSION}`, ...signature },
      body,
      redirect: "manual",
      signal,
    });
    const response = await unlessAborted(request, signal);
    const delivery = judge(response, tools.now());
    // Whatever it goes on to say is not read.
    response.body?.cancel().catch(() => {});
    return delivery;
  } catch (error) {
    return signal.aborted
      ? { kind: "again", reason: "it did not answer in time" }
      : { kind: "again", reason: reasonOf(error, url) };
  }
}

type SignatureHeader = Readonly<Record<string, string>>;

/** The header of the signature; none where the target has no secret, undefined where it should have one and has not. */
function sign({ secret_env }: WebhookTarget, body: string, tools: NotifyTools): SignatureHeader | undefined {
  if (secret_env === undefined) return {};
  const secret = readEnv(tools, secret_env);
  return secret === undefined ? undefined : { [SIGNATURE_HEADER]: signatureOf(body, secret, tools.now()) };
}

function readEnv(tools: NotifyTools, name: string): string | undefined {
  try {
    return tools.env(name) || undefined;
  } catch {
    return undefined; // not among the names that this program may read
  }
}

/** A request that does not look at its signal is left alone. */
async function unlessAborted(request: Promise<Response>, signal: AbortSignal): Promise<Response> {
  request.then((late) => signal.aborted ? late.body?.cancel() : undefined).catch(() => {});
  let onAbort = () => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(new Error("aborted"));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort);
  });
  aborted.catch(() => {});
  try {
    return await Promise.race([request, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function judge(response: Response, now: Date): Delivery {
  const { status } = response;
  if (status >= 200 && status < 300) return { kind: "delivered" };
  if ((status >= 300 && status < 400) || response.type === "opaqueredirect") {
    return { kind: "later", reason: `it answered ${status}, a redirect, which is not followed` };
  }
  const reason = `it answered ${status}`;
  if (status >= 500 || TRANSIENT.has(status)) {
    const retryAfterMs = retryAfter(response.headers.get("retry-after"), now);
    return { kind: "again", reason, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  }
  return REJECTED.has(status) ? { kind: "rejected", reason } : { kind: "later", reason };
}

/** Seconds or a date; in milliseconds from now. */
function retryAfter(header: string | null, now: Date): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now.getTime());
}

function reasonOf(error: unknown, url: URL): string {
  const text = error instanceof Error ? `${error.message} ${String(error.cause ?? "")}` : "";
  const words = text.replaceAll(url.href, "").replaceAll(url.hostname, "");
  return FAILURES.find(([pattern]) => pattern.test(words))?.[1] ?? "the request failed";
}
