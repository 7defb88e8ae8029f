/** What retention is asked: the things, the rules and the facts; and what it answers. */
import { UsageError } from "#/core/errors.ts";

/** A backup, snapshot, history entry or operation: something that grows old. */
export interface RetentionItem {
  /** Unique. One that is given twice is kept, as deleting one of the two would delete both. */
  readonly id: string;
  /** When it was made, RFC 3339. One that cannot be read keeps the item. */
  readonly at: string;
  /** What deleting it frees, in bytes. Anything but a positive number counts as 0. */
  readonly bytes: number;
  /** Its class; rules of `RetentionRules.groups` with this name replace the common ones for it. */
  readonly group?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  /** Why it is pinned, empty when nobody said; undefined when it is not pinned. */
  readonly pinned?: string | undefined;
  /** What still needs it ("an unfinished operation needs it"); undefined when nothing does. */
  readonly needed?: string | undefined;
}

/**
 * What to keep: an item goes when none of these keeps it. A rule that is absent or 0 is not set, and when no rule is
 * set at all, everything is kept.
 */
export interface KeepRules {
  /** This many of the newest. Also the floor that size limits do not go below. */
  readonly keepLast?: number | undefined;
  /** The newest of each of this many hours that have any; days, weeks, months and years likewise. In UTC. */
  readonly keepHourly?: number | undefined;
  readonly keepDaily?: number | undefined;
  /** ISO 8601 weeks: they begin on Monday. */
  readonly keepWeekly?: number | undefined;
  readonly keepMonthly?: number | undefined;
  readonly keepYearly?: number | undefined;
  /** Everything younger than this, in milliseconds before `now`. */
  readonly keepWithin?: number | undefined;
  /** Everything that has one of these tags. */
  readonly keepTags?: readonly string[] | undefined;
}

/**
 * Keep rules count over all items together, whatever their group: `keep_last: 10` is ten backups, not ten of each
 * version, of which there are ever more. A group that needs its own counts (snapshots with volumes) is named in
 * `groups`; it is then counted apart, by its own rules only. Size limits are about the disk, so always about all items.
 */
export interface RetentionRules extends KeepRules {
  readonly groups?: Readonly<Record<string, KeepRules>> | undefined;
  /** What all kept items may take together, in bytes. */
  readonly maxBytes?: number | undefined;
  /** What must be free where the items are, in bytes; judged by `RetentionFacts.freeBytes`. */
  readonly minFreeBytes?: number | undefined;
}

/** Of history only an unbroken newest part is kept: what goes back in time needs every operation in between. */
export type HistoryRules = Pick<KeepRules, "keepLast" | "keepWithin">;

/** What a user asks for: the `retention` block, or the flags. */
export interface RetentionSettings extends Omit<RetentionRules, "groups" | "keepTags"> {
  /** Without it all history is kept. */
  readonly history?: HistoryRules | undefined;
}

export interface RetentionFacts {
  /** What is free now where the items are, in bytes; undefined where nobody can say (object storage). */
  readonly freeBytes?: number | undefined;
}

export interface RetentionDecision {
  readonly id: string;
  readonly action: "keep" | "delete";
  /** Every rule that speaks for it, at least one. Pins and needs are quoted in the words they were given. */
  readonly reasons: readonly string[];
}

/** The names that people write in `backout.yaml`, for messages. */
const COUNTS = {
  keepLast: "keep_last",
  keepHourly: "keep_hourly",
  keepDaily: "keep_daily",
  keepWeekly: "keep_weekly",
  keepMonthly: "keep_monthly",
  keepYearly: "keep_yearly",
  keepWithin: "keep_within",
} as const satisfies Partial<Record<keyof KeepRules, string>>;

/**
 * Refuses rules that cannot be meant, before they delete anything.
 * @throws {UsageError} when a number is negative, broken, infinite or no number, or `now` is no time
 */
export function checkRetention(rules: RetentionRules, now: Date, facts: RetentionFacts): void {
  if (Number.isNaN(now.getTime())) {
    throw new UsageError("Cannot decide what to keep: the present time is not known");
  }
  checkKeepRules(rules, "");
  for (const [group, own] of Object.entries(rules.groups ?? {})) checkKeepRules(own, ` of ${group}`);
  checkNumber(rules.maxBytes, "max_size");
  checkNumber(rules.minFreeBytes, "min_free");
  checkNumber(facts.freeBytes, "the free space");
}

function checkKeepRules(rules: KeepRules, suffix: string): void {
  for (const [key, name] of Object.entries(COUNTS) as [keyof typeof COUNTS, string][]) {
    checkNumber(rules[key], name + suffix);
  }
}

function checkNumber(value: number | undefined, name: string): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 0)) return;
  throw new UsageError(`Cannot use ${value} for ${name}: it is not a whole number from 0 on`);
}
