/** Errors on their way from a worker to the thread that waits for it. */
import { IntegrityError, messageOf, StorageError } from "#/core/errors.ts";
import type { JsonObject } from "#/core/json.ts";
import { SystemError } from "#/core/system_error.ts";

export interface ThreadError {
  readonly kind: "system" | "integrity" | "storage" | "other";
  readonly message: string;
  readonly hint?: string | undefined;
  readonly context?: JsonObject;
  /** Of a system error. */
  readonly errno?: string | undefined;
}

export function sendable(error: unknown): ThreadError {
  const message = messageOf(error);
  if (error instanceof SystemError) {
    return { kind: "system", message, context: error.context, errno: error.errno };
  }
  if (error instanceof IntegrityError || error instanceof StorageError) {
    const kind = error instanceof IntegrityError ? "integrity" : "storage";
    return { kind, message, hint: error.hint, context: error.context };
  }
  return { kind: "other", message };
}

export function received(error: ThreadError): Error {
  const { message, hint, context = {}, errno } = error;
  const options = { ...(hint === undefined ? {} : { hint }), context };
  switch (error.kind) {
    case "system":
      return new SystemError(
        String(context.action ?? "use"),
        String(context.path ?? ""),
        Object.assign(new Error(message), errno === undefined ? {} : { code: errno }),
      );
    case "integrity":
      return new IntegrityError(message, options);
    case "storage":
      return new StorageError(message, options);
    case "other":
      return new Error(message);
    default:
      return error.kind satisfies never;
  }
}
