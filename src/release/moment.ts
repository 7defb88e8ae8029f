/** Times as people give them: a point in time, or how long ago. */
import { UsageError } from "#/core/errors.ts";
import { durationMs } from "#/core/quantity.ts";
import { quoteShort } from "#/core/safe_path.ts";

const RFC3339 = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/;

/**
 * `2026-11-20T18:30:00Z`, `2026-11-20` (midnight, UTC) or `90d` (ago), in milliseconds since 1970.
 * @param option the option that carries it, for the message
 * @throws {UsageError} for anything else
 */
export function momentMs(text: string, option: string, now: Date): number {
  const ago = durationMs(text);
  if (ago !== undefined) return now.getTime() - ago;
  const time = RFC3339.test(text) ? Date.parse(text.replace(" ", "T")) : NaN;
  if (!Number.isNaN(time)) return time;
  throw new UsageError(`Cannot use ${quoteShort(text)} for ${option}: it is not a time`, {
    hint: "Give it as RFC 3339 in UTC, for example 2026-11-20T18:30:00Z, or as an age, for example 90d.",
  });
}
