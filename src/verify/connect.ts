/** Connections of checks: given up when the signal says so. */
import { within } from "#/core/child_process.ts";
import { messageOf } from "#/core/errors.ts";

export type Place =
  | { readonly transport: "tcp"; readonly hostname: string; readonly port: number }
  | { readonly transport: "unix"; readonly path: string };

export type Connected =
  | { readonly connection: Deno.Conn }
  | { readonly connection: undefined; readonly problem: string };

/** A connection, or why there is none. @throws when the signal is aborted */
export async function connect(place: Place, signal: AbortSignal): Promise<Connected> {
  signal.throwIfAborted();
  const attempt: Promise<Deno.Conn> = place.transport === "tcp" ? Deno.connect(place) : Deno.connect(place);
  // Not by the signal of `Deno.connect`: one that fails keeps a resource open in some versions.
  if (await within(attempt, undefined, signal) === "aborted") {
    attempt.then((late) => late.close(), () => {});
    signal.throwIfAborted();
  }
  try {
    return { connection: await attempt };
  } catch (error) {
    return { connection: undefined, problem: whyNot(error) };
  }
}

/** In words that do not depend on the runtime's version. */
export function whyNot(error: unknown): string {
  if (error instanceof Deno.errors.ConnectionRefused) return "connection refused";
  if (error instanceof Deno.errors.TimedOut) return "no answer";
  if (error instanceof Deno.errors.NotFound) return "no such socket";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.NotCapable) return "no permission to use the network (--offline?)";
  const message = messageOf(error);
  return /failed to lookup|name or service not known|dns/i.test(message) ? "no such host" : message;
}
