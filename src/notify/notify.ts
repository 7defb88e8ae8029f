/**
 * Tells who wants to know how an operation ended. A receiver that is slow or dead holds nobody up for longer than its
 * time and fails nothing: what could not be delivered waits in the spool, and all that went wrong is a warning.
 */
import { messageOf } from "#/core/errors.ts";
import type { OperationReport } from "#/report/model.ts";
import { eventsOf, type NotifyEvent } from "./event.ts";
import { flushSpool, messages } from "./flush.ts";
import { appendToFile, runCommandTarget } from "./local_target.ts";
import { putInSpool } from "./spool.ts";
import type { SpoolPlace } from "./spool_place.ts";
import {
  DEFAULT_TIMEOUT_MS,
  isWebhook,
  type NotifyTarget,
  targetLabel,
  timeoutOf,
  wants,
  webhookId,
  type WebhookTarget,
} from "./target.ts";
import { type NotifyTools, TimeLimit } from "./tools.ts";
import { deliver, type Delivery } from "./webhook.ts";

export interface NotifySettings {
  readonly targets: readonly NotifyTarget[];
  /** Undefined: what cannot be delivered now is lost, with a warning. */
  readonly spool: SpoolPlace | undefined;
  /** Webhooks are not tried; their messages go to the spool at once. */
  readonly offline?: boolean;
  /** Where programs run: the folder of `backout.yaml`. */
  readonly cwd?: string;
}

export interface NotifyResult {
  readonly delivered: number;
  readonly spooled: number;
  readonly warnings: readonly string[];
  /** Webhooks (by id) that took nothing. */
  readonly unreachable: ReadonlySet<string>;
}

/**
 * Says how an operation ended, then sends what has been waiting, in the time that is left. A dry run says and sends
 * nothing. Never throws.
 * @returns warnings for people
 */
export async function announce(
  settings: NotifySettings,
  report: OperationReport,
  tools: NotifyTools,
): Promise<readonly string[]> {
  if (settings.targets.length === 0 || report.dry_run) return [];
  const began = tools.elapsed();
  const result = await notify(settings, eventsOf(report, tools.now()), tools);
  if (settings.spool === undefined || settings.offline === true) return result.warnings;
  const { targets, spool: place } = settings;
  const timeoutMs = DEFAULT_TIMEOUT_MS - (tools.elapsed() - began);
  if (timeoutMs <= 0) return result.warnings;
  const flushed = await flushSpool({ targets, place, timeoutMs, skip: result.unreachable }, tools);
  return [...result.warnings, ...flushed.warnings];
}

/** Sends events to the targets that want them, all at the same time. Never throws. */
export async function notify(
  settings: NotifySettings,
  events: readonly NotifyEvent[],
  tools: NotifyTools,
): Promise<NotifyResult> {
  const sender = new Sender(settings, tools);
  await Promise.all(distinct(settings.targets).map((target) => sender.sendAll(target, events)));
  return sender;
}

/** The same address named twice hears of an event once. */
function distinct(targets: readonly NotifyTarget[]): readonly NotifyTarget[] {
  const merged = new Map<string, NotifyTarget>();
  targets.forEach((target, i) => {
    const key = isWebhook(target) ? webhookId(target) : String(i);
    const before = merged.get(key);
    if (before === undefined) merged.set(key, target);
    else if (before.on !== undefined) merged.set(key, withBoth(before, target));
  });
  return [...merged.values()];
}

function withBoth(first: NotifyTarget, second: NotifyTarget): NotifyTarget {
  const { on, ...rest } = first;
  return second.on === undefined ? rest : { ...rest, on: [...on ?? [], ...second.on] };
}

class Sender implements NotifyResult {
  delivered = 0;
  spooled = 0;
  readonly warnings: string[] = [];
  readonly unreachable = new Set<string>();
  readonly #settings: NotifySettings;
  readonly #tools: NotifyTools;

  constructor(settings: NotifySettings, tools: NotifyTools) {
    this.#settings = settings;
    this.#tools = tools;
  }

  async sendAll(target: NotifyTarget, events: readonly NotifyEvent[]): Promise<void> {
    using limit = new TimeLimit("file" in target ? 0 : timeoutOf(target), this.#tools.elapsed);
    for (const event of events.filter((it) => wants(target, it.outcome))) {
      try {
        await this.#send(target, event, limit);
      } catch (error) {
        this.#warn(target, messageOf(error));
      }
    }
  }

  async #send(target: NotifyTarget, event: NotifyEvent, limit: TimeLimit): Promise<void> {
    if (isWebhook(target)) return await this.#sendToWebhook(target, event, limit);
    const problem = "file" in target
      ? appendToFile(target, event)
      : await runCommandTarget(target, event, this.#tools, limit, this.#settings.cwd);
    if (problem === undefined) this.delivered++;
    else this.#warn(target, problem);
  }

  async #sendToWebhook(target: WebhookTarget, event: NotifyEvent, limit: TimeLimit): Promise<void> {
    const id = webhookId(target);
    const delivery = await this.#tryWebhook(target, id, event, limit);
    if (delivery === undefined || delivery.kind === "again" || delivery.kind === "later") {
      this.#spool(target, id, event, delivery?.reason);
    } else if (delivery.kind === "delivered") {
      this.delivered++;
    } else {
      this.#warn(target, delivery.reason);
    }
  }

  /** Undefined without a network, or when it just took another message not. */
  async #tryWebhook(
    target: WebhookTarget,
    id: string,
    event: NotifyEvent,
    limit: TimeLimit,
  ): Promise<Delivery | undefined> {
    if (this.#settings.offline === true || this.unreachable.has(id)) return undefined;
    const delivery = await deliver(target, event, this.#tools, limit);
    if (delivery.kind === "again" || delivery.kind === "later") this.unreachable.add(id);
    return delivery;
  }

  #spool(target: WebhookTarget, id: string, event: NotifyEvent, reason: string | undefined): void {
    const { spool } = this.#settings;
    if (spool === undefined) return this.#warn(target, reason ?? "there is no place to keep the message");
    let dropped: number;
    try {
      dropped = putInSpool(spool, event, id, this.#tools.now());
    } catch (error) {
      const why = reason === undefined ? "" : `${reason}; `;
      return this.#warn(target, `${why}the message is lost: ${messageOf(error)}`);
    }
    this.spooled++;
    // Without a network waiting is what was asked for.
    if (reason !== undefined) {
      this.warnings.push(
        `Could not notify ${targetLabel(target)}: ${reason}. The message waits for a later command`,
      );
    }
    if (dropped > 0) {
      this.warnings.push(`The notification spool is full: dropped the oldest ${messages(dropped)}`);
    }
  }

  #warn(target: NotifyTarget, reason: string): void {
    this.warnings.push(`Could not notify ${targetLabel(target)}: ${reason}`);
  }
}
