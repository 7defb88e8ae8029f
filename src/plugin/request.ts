/** What another program asks: one JSON document, with the fields of the Rollback Manager's plugin. */
import { UsageError } from "#/core/errors.ts";
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from "#/core/json.ts";
import { nearest } from "#/core/nearest.ts";
import { quoteShort } from "#/core/safe_path.ts";

export const ACTIONS = [
  "create_snapshot",
  "execute_rollback",
  "list_snapshots",
  "get_rollback_history",
  "status",
  "evaluate_rollback_policy",
] as const;
export type Action = typeof ACTIONS[number];

/** The words of the flag form, and what they mean. */
export const SHORT_ACTIONS: Readonly<Record<string, Action>> = {
  create: "create_snapshot",
  rollback: "execute_rollback",
  list: "list_snapshots",
  history: "get_rollback_history",
  status: "status",
};

export interface PluginRequest {
  readonly action: Action;
  readonly snapshotId?: string;
  readonly type?: string;
  readonly config?: JsonObject;
  /** The checks to run, as they were written. */
  readonly tests: readonly JsonValue[];
  readonly description?: string;
  readonly reason?: string;
  readonly dryRun: boolean;
  readonly includeContent: boolean;
  readonly rollbackOnFailure: boolean;
  readonly discardChanges: boolean;
  readonly limit?: number;
  /** What went wrong, for the policy; as the caller says it. */
  readonly failureContext?: JsonValue;
  /** In milliseconds. */
  readonly timeoutMs?: number;
  /** Anything that the caller wants to find again in the answer. */
  readonly requestId?: JsonValue;
  /** Fields that nobody reads: named in the answer, since they may be mistakes. */
  readonly unknown: readonly string[];
}

const FIELDS = [
  "action",
  "snapshot_id",
  "type",
  "config",
  "validation",
  "description",
  "reason",
  "dry_run",
  "include_content",
  "rollback_on_failure",
  "discard_changes",
  "limit",
  "failure_context",
  "timeout",
  "request_id",
];
const MOST_SECONDS = 604_800;
const LARGEST_REQUEST = 1024 * 1024;

/** @throws {UsageError} it is no JSON, or not a request */
export function parseRequest(text: string): PluginRequest {
  if (text.length > LARGEST_REQUEST) {
    throw new UsageError("The request is larger than 1 MiB", { hint: "Send one request a line." });
  }
  return readRequest(parseDocument(text));
}

function parseDocument(text: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    // What was sent may hold a secret: it is not repeated.
    throw new UsageError("The request is not JSON", {
      hint: 'Send one JSON document, for example {"action": "status"}.',
      cause,
    });
  }
}

/** @throws {UsageError} it is not a request */
export function readRequest(value: unknown): PluginRequest {
  if (!isJsonObject(value)) {
    throw new UsageError("The request is not a JSON object", {
      hint: 'Send one JSON document, for example {"action": "status"}.',
    });
  }
  const action = readAction(value.action);
  return {
    action,
    ...given("snapshotId", text(value, "snapshot_id")),
    ...given("type", text(value, "type")),
    ...given("config", block(value, "config")),
    tests: readTests(value.validation),
    ...given("description", text(value, "description")),
    ...given("reason", text(value, "reason")),
    dryRun: flag(value, "dry_run"),
    includeContent: flag(value, "include_content"),
    rollbackOnFailure: flag(value, "rollback_on_failure"),
    discardChanges: flag(value, "discard_changes"),
    ...given("limit", count(value, "limit")),
    ...given("failureContext", value.failure_context),
    ...given("timeoutMs", milliseconds(value, "timeout")),
    ...given("requestId", value.request_id),
    unknown: Object.keys(value).filter((key) => !FIELDS.includes(key)),
  };
}

function given<K extends string, T>(key: K, value: T | undefined): { readonly [Key in K]?: T } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [Key in K]?: T };
}

function readAction(value: unknown): Action {
  if (value === undefined) {
    throw new UsageError("The request lacks action", { hint: `Actions: ${ACTIONS.join(", ")}.` });
  }
  if (typeof value === "string") {
    const action = ACTIONS.find((it) => it === value) ??
      (Object.hasOwn(SHORT_ACTIONS, value) ? SHORT_ACTIONS[value] : undefined);
    if (action !== undefined) return action;
  }
  const near = typeof value === "string" ? nearest(value, ACTIONS) : undefined;
  const shown = typeof value === "string" ? quoteShort(value) : "This";
  throw new UsageError(`${shown} is not an action`, {
    hint: near === undefined ? `Actions: ${ACTIONS.join(", ")}.` : `Did you mean ${near}?`,
  });
}

function text(request: JsonObject, key: string): string | undefined {
  const value = request[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string" && value !== "") return value;
  throw new UsageError(`The request's ${key} must be text that is not empty`);
}

function flag(request: JsonObject, key: string): boolean {
  const value = request[key];
  if (value === undefined || value === null) return false;
  if (typeof value === "boolean") return value;
  throw new UsageError(`The request's ${key} must be true or false`);
}

function count(request: JsonObject, key: string): number | undefined {
  const value = request[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= 1) return value;
  throw new UsageError(`The request's ${key} must be a whole number from 1 on`);
}

/** Seconds in the request. */
function milliseconds(request: JsonObject, key: string): number | undefined {
  const value = request[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && value > 0 && value <= MOST_SECONDS) return Math.ceil(value * 1000);
  throw new UsageError(`The request's ${key} must be a number of seconds, at most ${MOST_SECONDS}`);
}

function block(request: JsonObject, key: string): JsonObject | undefined {
  const value = request[key];
  if (value === undefined || value === null) return undefined;
  if (isJsonObject(value)) return value;
  throw new UsageError(`The request's ${key} must be an object`);
}

function readTests(validation: JsonValue | undefined): readonly JsonValue[] {
  if (validation === undefined || validation === null) return [];
  const tests = isJsonObject(validation) ? validation.tests : undefined;
  if (isJsonObject(validation) && tests === undefined) return [];
  if (Array.isArray(tests)) return tests as readonly JsonValue[];
  throw new UsageError("The request's validation must be an object with a list of tests", {
    hint: 'For example {"tests": [{"type": "file_exists", "path": "/app/config.yml"}]}.',
  });
}
