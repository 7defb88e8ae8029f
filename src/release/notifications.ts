/** Messages that wait for a receiver: how many, since when, and sending them now. */
import { RollbackError } from "#/core/errors.ts";
import { flushSpool } from "#/notify/flush.ts";
import { listSpool } from "#/notify/spool.ts";
import { LONGEST_TIMEOUT_MS } from "#/notify/target.ts";
import { realTools } from "#/notify/tools.ts";
import { openScope, type Scope } from "#/release/scope.ts";
import { spoolOf } from "#/release/surroundings.ts";
import type { RepositoryOptions } from "#/repository/options.ts";
import type { DoctorCheck, NotifyFlushResult, StatusView } from "#/repository/views.ts";

/** What waits for longer says that a receiver is gone, not that it is slow. */
const OLD_MS = 86_400_000;

type Waiting = NonNullable<StatusView["waiting_notifications"]>;

/** This user's messages; null where there is no place for them. @throws {RollbackError} it cannot be read */
export function waitingNotifications(scope: Scope, options: RepositoryOptions): Waiting | null {
  const place = spoolOf(scope, options);
  if (place === undefined) return null;
  const waiting = listSpool(place.folder).filter((it) => it.state !== "writing");
  const oldest = Math.min(...waiting.map((it) => it.writtenAtMs));
  return {
    messages: waiting.length,
    oldest: waiting.length === 0 ? null : new Date(oldest).toISOString(),
  };
}

/** What `doctor` says of them. */
export function notificationChecks(scope: Scope, options: RepositoryOptions): readonly DoctorCheck[] {
  const id = "notifications";
  let waiting: Waiting | null;
  try {
    waiting = waitingNotifications(scope, options);
  } catch (error) {
    if (!(error instanceof RollbackError)) throw error;
    return [{ id, outcome: "warning", detail: error.message, hint: error.hint ?? null }];
  }
  if (waiting === null) return [];
  const { messages, oldest } = waiting;
  if (oldest === null) return [{ id, outcome: "ok", detail: "no message waits for a receiver", hint: null }];
  const detail = `${messages} message${messages === 1 ? " waits" : "s wait"} for a receiver, since ${oldest}`;
  if (scope.now().getTime() - Date.parse(oldest) < OLD_MS) return [{ id, outcome: "ok", detail, hint: null }];
  const hint = "Look at `notify:` in backout.yaml and at the receiver, then run `backout notify flush`.";
  return [{ id, outcome: "warning", detail, hint }];
}

/**
 * Sends what waits. A dry run only counts.
 * @throws {RollbackError} the messages cannot be read
 */
export async function flushNotifications(
  options: RepositoryOptions & { readonly dryRun?: boolean },
): Promise<NotifyFlushResult> {
  const scope = await openScope(options);
  const { around } = options;
  const repository = scope.store.location;
  const waiting = waitingNotifications(scope, options)?.messages ?? 0;
  const place = spoolOf(scope, options);
  if (place === undefined || around === undefined || options.dryRun === true) {
    return { repository, delivered: 0, waiting, dropped: 0, warnings: [] };
  }
  const { notify: targets, offline, env } = around;
  const timeoutMs = LONGEST_TIMEOUT_MS;
  const result = await flushSpool({ place, targets, offline, timeoutMs }, realTools(env));
  const idle = result.waiting > 0 && result.delivered === 0 && result.warnings.length === 0 && !offline;
  const nobody =
    "None of them is for a webhook that backout.yaml names now: they wait until they are too old";
  return { repository, ...result, warnings: idle ? [nobody] : result.warnings };
}
