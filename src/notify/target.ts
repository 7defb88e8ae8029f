/** Targets of notifications: what they want, how long they may take, and what names them in the spool. */
import { sha256Hex } from "#/core/sha256.ts";
import {
  type CommandTarget,
  LONGEST_TIMEOUT_MS,
  NOTIFY_OUTCOMES,
  type NotifyOutcome,
  type NotifyTarget,
  type WebhookTarget,
} from "#/core/notify_target.ts";

export * from "#/core/notify_target.ts";

export const DEFAULT_TIMEOUT_MS = 3_000;

export function isWebhook(target: NotifyTarget): target is WebhookTarget {
  return "webhook" in target;
}

export function wants(target: NotifyTarget, outcome: NotifyOutcome): boolean {
  return (target.on ?? NOTIFY_OUTCOMES).includes(outcome);
}

export function timeoutOf(target: WebhookTarget | CommandTarget): number {
  return Math.min(target.timeout_ms ?? DEFAULT_TIMEOUT_MS, LONGEST_TIMEOUT_MS);
}

/** Names a webhook without holding its URL, so that a message that waits finds it again. 16 hex digits. */
export function webhookId({ webhook }: WebhookTarget): string {
  return sha256Hex(`backout-webhook\n${webhook}`).slice(0, 16);
}
