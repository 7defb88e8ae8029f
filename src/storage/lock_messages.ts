/** What a person reads who meets a lock: who holds it, since when, for what and why. */
import { LockedError } from "#/core/errors.ts";
import type { HolderState, LockHolder, LockRequest } from "./lock.ts";

/** The refusal, with what to do next. */
export function lockedError(holder: LockHolder, state: HolderState, request: LockRequest): LockedError {
  const age = ageOf(holder.since, request.now());
  return new LockedError(`Cannot ${request.operation}: locked by ${describeHolder(holder, age)}`, {
    hint: hintFor(state, request.timeoutMs),
    context: { holder: { ...holder }, state, waited_ms: request.timeoutMs },
  });
}

/** `rollback v1.0.2 by alice@web1 (pid 123) since … (3 minutes ago), reason: bad build` */
export function describeHolder(holder: LockHolder, age = ""): string {
  const since = holder.since === "" ? "" : ` since ${holder.since}${age === "" ? "" : ` (${age} ago)`}`;
  const reason = holder.reason === "" ? "" : `, reason: ${holder.reason}`;
  // A lock that cannot be read names nobody.
  const who = holder.pid === 0 ? "" : ` by ${holder.by}@${holder.host} (pid ${holder.pid})`;
  return `${holder.operation}${who}${since}${reason}`;
}

function hintFor(state: HolderState, waitedMs: number): string {
  if (state === "unknown") {
    return "From here it cannot be seen whether that process still runs. If you know that it does not, " +
      "run `backout unlock`; otherwise wait with --lock-timeout.";
  }
  if (state === "dead") {
    return "That process is gone, but this filesystem does not let the lock be taken over safely: " +
      "run `backout unlock`.";
  }
  return waitedMs > 0
    ? "It was still running after the wait: give a longer --lock-timeout, or look at that process."
    : "Wait for it with --lock-timeout, for example --lock-timeout 5m.";
}

function ageOf(since: string, now: Date): string {
  const seconds = Math.round((now.getTime() - Date.parse(since)) / 1000);
  if (!Number.isFinite(seconds) || seconds < 0) return "";
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 2 * 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}
