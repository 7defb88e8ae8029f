/** Delivers what waits in the spool. */
import { messageOf } from "#/core/errors.ts";
import {
  type Claim,
  claim,
  forget,
  giveBack,
  isBusy,
  listSpool,
  readClaimed,
  removeQuietly,
  SPOOL_LIMITS,
  type SpoolEntry,
} from "./spool.ts";
import type { SpoolPlace } from "./spool_place.ts";
import {
  DEFAULT_TIMEOUT_MS,
  isWebhook,
  type NotifyTarget,
  targetLabel,
  timeoutOf,
  webhookId,
  type WebhookTarget,
} from "./target.ts";
import { type NotifyTools, TimeLimit } from "./tools.ts";
import { post } from "./webhook.ts";

export interface FlushOptions {
  readonly place: SpoolPlace;
  /** The targets of the configuration; messages for others stay until they are too old. */
  readonly targets: readonly NotifyTarget[];
  /** Nothing is sent. */
  readonly offline?: boolean;
  /** How long all of it may take, in milliseconds. @default 3000 */
  readonly timeoutMs?: number;
  /** Webhooks (by id) that are known to be of no use right now. */
  readonly skip?: ReadonlySet<string>;
}

export interface FlushResult {
  readonly delivered: number;
  /** Messages that still wait. */
  readonly waiting: number;
  /** Messages given up: too old, damaged, or rejected by their receiver. */
  readonly dropped: number;
  readonly warnings: readonly string[];
}

interface Tally {
  delivered: number;
  dropped: number;
  readonly warnings: string[];
}

const NOTHING: FlushResult = { delivered: 0, waiting: 0, dropped: 0, warnings: [] };

/**
 * Sends the messages that wait, oldest first; what cannot be delivered goes on waiting. Several at a time do not get
 * in each other's way. Never throws.
 */
export async function flushSpool(options: FlushOptions, tools: NotifyTools): Promise<FlushResult> {
  const { folder } = options.place;
  const tally: Tally = { delivered: 0, dropped: 0, warnings: [] };
  try {
    const entries = listSpool(folder);
    if (entries.length === 0) return NOTHING;
    const free = dropOld(entries, tools.now(), tally);
    if (options.offline !== true) {
      using limit = new TimeLimit(options.timeoutMs ?? DEFAULT_TIMEOUT_MS, tools.elapsed);
      const lines = webhooksOf(options).map((target) => {
        const id = webhookId(target);
        return sendAll(folder, free.filter((it) => it.webhookId === id), target, tools, limit, tally)
          .catch((error) => fail(tally, error));
      });
      await Promise.all(lines);
    }
  } catch (error) {
    fail(tally, error);
  }
  return { ...tally, waiting: countWaiting(folder) };
}

function fail(tally: Tally, error: unknown): void {
  tally.warnings.push(`The notification spool: ${messageOf(error)}`);
}

/** One target per address. */
function webhooksOf({ targets, skip }: FlushOptions): readonly WebhookTarget[] {
  const byId = new Map<string, WebhookTarget>();
  for (const target of targets.filter(isWebhook)) {
    const id = webhookId(target);
    if (!byId.has(id) && skip?.has(id) !== true) byId.set(id, target);
  }
  return [...byId.values()];
}

/** Removes what is too old or was never finished, and answers with what may be claimed. */
function dropOld(entries: readonly SpoolEntry[], now: Date, tally: Tally): readonly SpoolEntry[] {
  const free: SpoolEntry[] = [];
  let old = 0;
  for (const entry of entries) {
    if (isBusy(entry, now)) continue;
    if (entry.state === "writing") removeQuietly(entry.path);
    else if (now.getTime() - entry.writtenAtMs <= SPOOL_LIMITS.ageMs) free.push(entry);
    else if (removeQuietly(entry.path)) old++;
  }
  if (old > 0) {
    tally.dropped += old;
    tally.warnings.push(
      `The notification spool: dropped ${messages(old)} that nobody took for ${
        SPOOL_LIMITS.ageMs / 86_400_000
      } days`,
    );
  }
  return free;
}

/** One receiver's messages, one after the other, until one cannot be delivered. */
async function sendAll(
  folder: string,
  entries: readonly SpoolEntry[],
  target: WebhookTarget,
  tools: NotifyTools,
  limit: TimeLimit,
  tally: Tally,
): Promise<void> {
  for (const entry of entries) {
    if (limit.left === 0) return;
    const claimed = claim(folder, entry, tools.now());
    if (claimed === undefined) continue; // somebody else delivers it
    if (!await sendOne(claimed, target, tools, limit, tally)) return;
  }
}

/** False when the receiver takes nothing now. */
async function sendOne(
  claimed: Claim,
  target: WebhookTarget,
  tools: NotifyTools,
  limit: TimeLimit,
  tally: Tally,
): Promise<boolean> {
  const message = readClaimed(claimed);
  if (message === undefined) {
    forget(claimed);
    tally.dropped++;
    tally.warnings.push(`The notification spool: dropped a damaged message for ${targetLabel(target)}`);
    return true;
  }
  using own = new TimeLimit(timeoutOf(target), tools.elapsed);
  const delivery = await post(target, message, tools, AbortSignal.any([own.signal, limit.signal]));
  switch (delivery.kind) {
    case "delivered":
      forget(claimed);
      tally.delivered++;
      return true;
    case "rejected":
      forget(claimed);
      tally.dropped++;
      tally.warnings.push(
        `The message ${message.event_id} for ${targetLabel(target)} was given up: ${delivery.reason}`,
      );
      return true;
    case "again":
    case "later":
      giveBack(claimed);
      tally.warnings.push(`Messages for ${targetLabel(target)} go on waiting: ${delivery.reason}`);
      return false;
    default:
      return delivery satisfies never;
  }
}

function countWaiting(folder: string): number {
  try {
    return listSpool(folder).filter((it) => it.state !== "writing").length;
  } catch {
    return 0;
  }
}

/** "1 message", "2 messages". */
export function messages(count: number): string {
  return `${count} message${count === 1 ? "" : "s"}`;
}
