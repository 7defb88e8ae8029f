/** The keep rules: which of some items each of them keeps, and why. */
import type { KeepRules, RetentionItem } from "./retention_rules.ts";
import { ordinal, spanWords } from "./retention_words.ts";

/** An item whose age is known. */
export interface DatedItem {
  readonly item: RetentionItem;
  /** Its place in the list that was asked about. */
  readonly index: number;
  /** Milliseconds since 1970. */
  readonly time: number;
}

export interface KeepReason {
  readonly text: string;
  /** `firm` holds against the size limits, too; `unruled` is no rule's word, but that there is none. */
  readonly strength: "firm" | "rule" | "unruled";
}

/** Adds a reason to keep an item, with the strength of a rule unless another is named. */
export type Give = (
  to: { readonly index: number },
  text: string,
  strength?: KeepReason["strength"],
) => void;

interface Calendar {
  readonly rule: "keepHourly" | "keepDaily" | "keepWeekly" | "keepMonthly" | "keepYearly";
  readonly name: string;
  readonly unit: string;
  /** The hour, day, … as ISO 8601 writes it. */
  readonly bucket: (time: number) => string;
}

/** `2026-10-05T14:30:00.000Z` is cut from its end: a year before 0 or after 9999 has more than four digits. */
const CALENDARS: readonly Calendar[] = [
  { rule: "keepHourly", name: "keep_hourly", unit: "hour", bucket: (time) => iso(time).slice(0, -11) },
  { rule: "keepDaily", name: "keep_daily", unit: "day", bucket: (time) => iso(time).slice(0, -14) },
  { rule: "keepWeekly", name: "keep_weekly", unit: "week", bucket: isoWeek },
  { rule: "keepMonthly", name: "keep_monthly", unit: "month", bucket: (time) => iso(time).slice(0, -17) },
  { rule: "keepYearly", name: "keep_yearly", unit: "year", bucket: (time) => iso(time).slice(0, -20) },
];

const DAY = 86_400_000;

/** Whether any keep rule is set; without one everything is kept. */
export function hasKeepRules(rules: KeepRules): boolean {
  return [
    rules.keepLast,
    rules.keepWithin,
    rules.keepTags?.length,
    ...CALENDARS.map(({ rule }) => rules[rule]),
  ]
    .some((value) => (value ?? 0) > 0);
}

/**
 * Gives each item that a rule keeps its reasons.
 * @param newestFirst the items that are counted together
 * @param suffix names them in the reasons
 */
export function applyKeepRules(
  newestFirst: readonly DatedItem[],
  rules: KeepRules,
  now: Date,
  suffix: string,
  give: Give,
): void {
  newestFirst.slice(0, rules.keepLast ?? 0).forEach((dated, place) =>
    give(dated, place === 0 ? `the newest${suffix}` : `the ${ordinal(place + 1)} newest${suffix}`, "firm")
  );
  for (const calendar of CALENDARS) {
    applyCalendar(newestFirst, calendar, rules[calendar.rule] ?? 0, suffix, give);
  }
  const within = rules.keepWithin ?? 0;
  const tags = new Set(rules.keepTags);
  for (const dated of newestFirst) {
    if (now.getTime() - dated.time < within) give(dated, `within ${spanWords(within)}${suffix}`);
    for (const tag of new Set(dated.item.tags)) {
      if (tags.has(tag)) give(dated, `has the tag ${tag}${suffix}`);
    }
  }
}

/**
 * The newest of each of the last `count` hours, days, … that have any. While there are fewer of them, the very oldest
 * is kept, too: otherwise yearly copies would reach back no further than the daily ones until the first year is over.
 */
function applyCalendar(
  newestFirst: readonly DatedItem[],
  { name, unit, bucket }: Calendar,
  count: number,
  suffix: string,
  give: Give,
): void {
  let filled = 0;
  let last = "";
  for (const dated of newestFirst) {
    if (filled >= count) return;
    const key = bucket(dated.time);
    if (key === last) continue;
    give(dated, `newest of ${unit} ${key}${suffix}`);
    last = key;
    filled++;
  }
  const oldest = newestFirst.at(-1);
  if (oldest === undefined || filled >= count) return;
  give(oldest, `the oldest, while ${name} has ${filled} of ${count}${suffix}`);
}

function iso(time: number): string {
  return new Date(time).toISOString();
}

/** `2026-W40`. An ISO week belongs to the year of its Thursday. */
function isoWeek(time: number): string {
  const weekday = (new Date(time).getUTCDay() + 6) % 7;
  const thursday = new Date(time + (3 - weekday) * DAY);
  const newYear = new Date(thursday);
  newYear.setUTCMonth(0, 1);
  const week = Math.floor((thursday.getTime() - newYear.getTime()) / (7 * DAY)) + 1;
  return `${thursday.toISOString().slice(0, -20)}-W${String(week).padStart(2, "0")}`;
}
