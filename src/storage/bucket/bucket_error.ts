/** Failures of object storage, told apart by what can be done about them. */
import { StorageError } from "#/core/errors.ts";

export type BucketFailure =
  /** A condition of the write did not hold. */
  | "precondition"
  /** The service asks to slow down. */
  | "throttled"
  /** The service failed (5xx), or two writes met (409). */
  | "server"
  /** No connection, or it broke. */
  | "network"
  /** Its deadline passed. */
  | "timeout"
  /** The caller stopped it. */
  | "aborted"
  | "denied"
  | "no_credentials"
  | "bad_credentials"
  | "expired_credentials"
  | "missing_bucket"
  | "wrong_region"
  | "clock_skew"
  /** Object lock, retention or a legal hold keeps the object. */
  | "retained"
  /** The server does not know what was asked (501). */
  | "unsupported"
  | "too_large"
  | "other";

/** What an HTTP status says where the service's own word says nothing. */
export function failureOfStatus(status: number): BucketFailure {
  switch (status) {
    case 401:
    case 403:
      return "denied";
    case 405:
    case 501:
      return "unsupported";
    case 408:
      return "timeout";
    case 409:
      return "server";
    case 412:
      return "precondition";
    case 413:
      return "too_large";
    case 429:
      return "throttled";
  }
  return status >= 500 ? "server" : "other";
}

/** What a driver found out about a failed request. */
export interface FailureFacts {
  readonly failure: BucketFailure;
  /** What was tried, as a verb phrase: `read index.json`, `list v1/`. */
  readonly action: string;
  /** `s3://bucket/prefix`; never with a secret. */
  readonly location: string;
  /** The service's own word and sentence, without secrets. */
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  /** HTTP status. */
  readonly status?: number | undefined;
  readonly requestId?: string | undefined;
  /** Host and port that was asked, where it is not the service's own. */
  readonly endpoint?: string | undefined;
  readonly cause?: unknown;
}

/** A request that did not do what was asked (exit 52). */
export class BucketError extends StorageError {
  readonly failure: BucketFailure;

  constructor(facts: FailureFacts) {
    super(sentence(facts), { hint: HINTS[facts.failure], context: contextOf(facts), cause: facts.cause });
    this.failure = facts.failure;
  }

  /** Worth another try. */
  get isTransient(): boolean {
    return TRANSIENT.has(this.failure);
  }

  /** True when the service may have done what was asked although it did not say so. */
  get isUnknown(): boolean {
    return UNKNOWN.has(this.failure);
  }
}

const TRANSIENT: ReadonlySet<BucketFailure> = new Set(["throttled", "server", "network", "timeout"]);
const UNKNOWN: ReadonlySet<BucketFailure> = new Set(["server", "network", "timeout", "aborted"]);

const UNANSWERED: ReadonlySet<BucketFailure> = new Set(["network", "timeout", "aborted"]);

/** True when the service may carry out a change later than the one who asked for it gave up. Looks at causes too. */
export function mayHappenLater(error: unknown): boolean {
  if (error instanceof BucketError && UNANSWERED.has(error.failure)) return true;
  return error instanceof Error && mayHappenLater(error.cause);
}

const WHY: Readonly<Record<BucketFailure, string>> = {
  precondition: "the object is not what it was",
  throttled: "the service asks to slow down",
  server: "the service failed",
  network: "the connection could not be made, or broke",
  timeout: "there was no answer in time",
  aborted: "it was stopped",
  denied: "access is denied",
  no_credentials: "there are no credentials",
  bad_credentials: "the credentials are not accepted",
  expired_credentials: "the credentials have expired",
  missing_bucket: "there is no such bucket",
  wrong_region: "the bucket is in another region",
  clock_skew: "the clock of this machine is wrong",
  retained: "object lock or retention keeps it",
  unsupported: "the server does not support this request",
  too_large: "it is too large",
  other: "the service refused",
};

const HINTS: Readonly<Record<BucketFailure, string>> = {
  precondition: "Run the command again: it plans anew.",
  throttled: "Wait a little, or use fewer requests at a time with --jobs.",
  server: "Try again; if it stays, look at the service's status.",
  network: "Check the endpoint (AWS_ENDPOINT_URL, STORAGE_EMULATOR_HOST), the network and the proxy.",
  timeout: "Check the network, or use fewer requests at a time with --jobs.",
  aborted: "Run the command again.",
  denied: "Allow this user to read, write, list and delete below the location.",
  no_credentials: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or " +
    "GOOGLE_APPLICATION_CREDENTIALS.",
  bad_credentials: "Check the access key and its secret, or the credentials file.",
  expired_credentials: "Sign in again, or fetch a new session token.",
  missing_bucket: "Check the bucket's name, and the endpoint and region.",
  wrong_region: "Set AWS_REGION to the bucket's region.",
  clock_skew: "Set the clock of this machine (for example with an NTP client).",
  retained: "Wait until its retention ends, or ask who may lift it.",
  unsupported: "Use a server that has it; see the list of servers in docs/object_storage.md.",
  too_large: "This object should be small; look at what is there.",
  other: "Look at the service's own message.",
};

function sentence(facts: FailureFacts): string {
  const said = [facts.code, facts.message].filter((part) => part !== undefined && part !== "").join(": ");
  const detail = said === "" ? "" : ` (${said})`;
  return `Cannot ${facts.action} in ${facts.location}: ${WHY[facts.failure]}${detail}`;
}

function contextOf(facts: FailureFacts): Record<string, string | number> {
  const { failure, location, code, status, requestId, endpoint } = facts;
  const known = { failure, location, code, status, request_id: requestId, endpoint };
  return Object.fromEntries(
    Object.entries(known).filter((entry): entry is [string, string | number] => entry[1] !== undefined),
  );
}
