/** Who is told how an operation ended: webhooks, programs and files, as `notify:` of `backout.yaml` names them. */

/** What a target can be told of. */
export const NOTIFY_OUTCOMES = ["success", "failure", "denial", "recovery"] as const;
export type NotifyOutcome = typeof NOTIFY_OUTCOMES[number];

interface AnyTarget {
  /** @default all of them */
  readonly on?: readonly NotifyOutcome[];
}

export interface WebhookTarget extends AnyTarget {
  /** `http://` or `https://`. May itself be a secret: it is never shown whole, nor stored. */
  readonly webhook: string;
  /** The environment variable that has the key of the signature. */
  readonly secret_env?: string;
  /** The longest this receiver may hold a command up, in milliseconds. @default 3000 */
  readonly timeout_ms?: number;
}

export interface CommandTarget extends AnyTarget {
  /** Program and arguments; gets the event on its standard input. */
  readonly command: readonly string[];
  /** @default 3000 */
  readonly timeout_ms?: number;
}

export interface FileTarget extends AnyTarget {
  /** Absolute; one event per line is appended. */
  readonly file: string;
}

export type NotifyTarget = WebhookTarget | CommandTarget | FileTarget;

/** No receiver may hold a command up for longer. A claim on a waiting message lives longer than this. */
export const LONGEST_TIMEOUT_MS = 30_000;

/** The names that the compiled executable may read; others would look unset to it. */
export const SECRET_ENV_NAME = /^BACKOUT_[A-Z0-9_]+$/;

/**
 * Why a webhook's URL cannot be used, as the end of a sentence ("notify.0.webhook …"); undefined when it can. For the
 * check of the configuration. Does not repeat the URL.
 */
export function webhookProblem(url: string): string | undefined {
  const parsed = URL.parse(url);
  if (parsed === null) return "is not a URL";
  if (parsed.protocol !== "https:" && parsed.protocol !== "http:") {
    return "must begin with https:// or http://";
  }
  if (parsed.username !== "" || parsed.password !== "") {
    return "must not hold a user or password; use secret_env to prove who sends";
  }
  return undefined;
}

/** How messages name a target: without the path, query or arguments, which may be secret. */
export function targetLabel(target: NotifyTarget): string {
  if ("file" in target) return `the file ${target.file}`;
  if ("command" in target) return `the command ${target.command[0] ?? "(none)"}`;
  const url = URL.parse(target.webhook);
  return url === null || url.host === "" ? "the webhook" : `the webhook at ${url.host}`;
}
