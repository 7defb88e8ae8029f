/** One HTTP request of a check. */
import { bodyText, insecureRequest, MOST_BYTES } from "./http_insecure.ts";

export interface HttpRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  /** PEM, besides the system's. */
  readonly ca: string | undefined;
  /** Take any certificate. */
  readonly insecure: boolean;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  /** At most 1 MiB of it, as text. */
  readonly body: string;
  readonly location: string | undefined;
}

/** The answer, or why there is none. @throws when the signal is aborted */
export async function request(options: HttpRequest): Promise<Answer | { readonly problem: string }> {
  options.signal.throwIfAborted();
  try {
    const insecure = options.insecure && options.url.startsWith("https:");
    return insecure ? await insecureRequest(options) : await fetched(options);
  } catch (error) {
    options.signal.throwIfAborted();
    return { problem: problemOf(error) };
  }
}

async function fetched({ url, method, headers, ca, signal }: HttpRequest): Promise<Answer> {
  // A client of its own: no connection is left open for later.
  using client = Deno.createHttpClient(ca === undefined ? {} : { caCerts: [ca] });
  const { origin, pathname, search, username, password } = new URL(url);
  const user = username === "" && password === ""
    ? {}
    : { authorization: `Basic ${btoa(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`)}` };
  const response = await fetch(`${origin}${pathname}${search}`, {
    method,
    headers: { "user-agent": "backout", ...user, ...headers },
    redirect: "manual",
    client,
    signal,
  });
  return {
    status: response.status,
    body: await beginning(response),
    location: response.headers.get("location") ?? undefined,
  };
}

async function beginning(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= MOST_BYTES) break; // what is left is cancelled
  }
  return bodyText(chunks);
}

/** In words that do not depend on the runtime, and do not repeat the URL. */
function problemOf(error: unknown): string {
  const text = messages(error).join(" ");
  const [, why] = /certificate:? ?([^"]{0,80})/i.exec(text) ?? [];
  if (why !== undefined) return `a certificate that is not trusted (${why.trim() || "unknown issuer"})`;
  if (/refused/i.test(text)) return "connection refused";
  if (/dns|lookup|resolve|not known/i.test(text)) return "no such host";
  if (/timed out|timeout/i.test(text)) return "no answer";
  if (/reset|closed|hang up|eof|incomplete/i.test(text)) return "a connection that was closed";
  if (/requires net access|NotCapable/i.test(text)) return "no permission to use the network (--offline?)";
  return /unreachable/i.test(text) ? "a network that cannot be reached" : "no HTTP answer";
}

function messages(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return [String(error)];
  const { code } = error as { readonly code?: unknown };
  const own = [error.name, error.message, ...typeof code === "string" ? [code] : []];
  return error.cause === undefined ? own : [...own, ...messages(error.cause)];
}
