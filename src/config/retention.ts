/** The `retention:` block as the rules that retention takes. */
import type { ParsedConfig } from "#/config/schema.ts";
import { durationMs, sizeBytes } from "#/core/quantity.ts";
import type { HistoryRules, KeepRules, RetentionSettings } from "#/policy/retention.ts";

type RetentionBlock = NonNullable<ParsedConfig["retention"]>;

type KeepBlock = Omit<RetentionBlock, "history" | "max_size" | "min_free">;

/** The schema has checked that durations and sizes can be read. */
export function retentionSettings(block: RetentionBlock): RetentionSettings {
  const { history } = block;
  return given({
    ...keepRules(block),
    maxBytes: sizeBytes(block.max_size ?? ""),
    minFreeBytes: sizeBytes(block.min_free ?? ""),
    history: history === undefined ? undefined : given<HistoryRules>({
      keepLast: history.keep_last,
      keepWithin: durationMs(history.keep_within ?? ""),
    }),
  });
}

/** The rules that keep something. */
export function keepRules(block: KeepBlock): KeepRules {
  return given({
    keepLast: block.keep_last,
    keepHourly: block.keep_hourly,
    keepDaily: block.keep_daily,
    keepWeekly: block.keep_weekly,
    keepMonthly: block.keep_monthly,
    keepYearly: block.keep_yearly,
    keepWithin: durationMs(block.keep_within ?? ""),
  });
}

/** Without the keys that are not set. */
export function given<T extends object>(rules: T): T {
  return Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== undefined)) as T;
}
