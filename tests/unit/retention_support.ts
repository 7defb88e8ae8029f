/** Items and short answers for the tests of retention. */
import {
  decideRetention,
  type RetentionFacts,
  type RetentionItem,
  type RetentionRules,
} from "#/policy/retention.ts";

export const NOW = new Date("2026-10-05T12:00:00Z");
export const DAY = 86_400_000;
export const GIB = 1024 ** 3;

export function item(id: string, at: string, more: Partial<RetentionItem> = {}): RetentionItem {
  return { id, at, bytes: 1, ...more };
}

/** One line for each item: `a keep: why, why`. */
export function decide(
  items: readonly RetentionItem[],
  rules: RetentionRules,
  facts?: RetentionFacts,
): string[] {
  return decideRetention(items, rules, NOW, facts)
    .map(({ id, action, reasons }) => `${id} ${action}: ${reasons.join(", ")}`);
}

/** `count` items, one a day, the newest first and named `d0`. */
export function daily(count: number, more: Partial<RetentionItem> = {}): RetentionItem[] {
  return Array.from(
    { length: count },
    (_, day) => item(`d${day}`, new Date(NOW.getTime() - day * DAY - 1).toISOString(), more),
  );
}

/** The ids of what is kept. */
export function kept(items: readonly RetentionItem[], rules: RetentionRules, facts?: RetentionFacts): string {
  return decideRetention(items, rules, NOW, facts)
    .filter(({ action }) => action === "keep").map(({ id }) => id).join(" ");
}
