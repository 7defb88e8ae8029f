/** Years of generated history, rules for it, and a second, slower way to say what the keep rules keep. */
import fc from "fast-check";
import type { KeepRules, RetentionItem, RetentionRules } from "#/policy/retention.ts";

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
export const NOW = new Date("2026-10-05T12:34:56.789Z");
export const COUNTS = [
  "keepLast",
  "keepHourly",
  "keepDaily",
  "keepWeekly",
  "keepMonthly",
  "keepYearly",
] as const;

/** Steps between two items: bursts, working days, quiet months; 0 makes ties. */
const step = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 1, max: 2 * HOUR }),
  fc.integer({ min: 1, max: 3 * DAY }),
  fc.constantFrom(HOUR, DAY, 7 * DAY, 30 * DAY, 365 * DAY),
  fc.integer({ min: DAY, max: 200 * DAY }),
);
const odd = fc.constantFrom(
  "",
  "2026-02-30T00:00:00Z",
  "no time",
  "2027-01-01T00:00:00Z",
  "2026-10-05T12:34:56.790Z",
);
const bytes = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 50 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, -1, NaN, Infinity) },
);
/** One in ten or so. */
const rarely = (text: string) => fc.option(fc.constant(text), { nil: undefined, freq: 1 });

const traits = fc.record({
  bytes,
  group: fc.constantFrom(undefined, "volumes", "plain"),
  tags: fc.subarray(["release", "audit", "x"]),
  pinned: fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: rarely("why") }),
  needed: fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, {
    weight: 1,
    arbitrary: rarely("needed"),
  }),
});

export interface HistoryOptions {
  /** Whether unreadable times and such ahead of the clock occur. */
  readonly odd: boolean;
  readonly maxLength: number;
}

/** Items in no order, mostly over years before `NOW`; ids do not follow the time. */
export function history({ odd: withOdd, maxLength }: HistoryOptions): fc.Arbitrary<RetentionItem[]> {
  const strange = withOdd
    ? fc.oneof({ weight: 15, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: odd })
    : fc.constant(null);
  return fc.array(fc.tuple(step, traits, strange), { maxLength, size: "max" }).chain((entries) => {
    let time = NOW.getTime();
    const dated = entries.map(([gap, more, at], place) => {
      time -= gap;
      return { id: `${place * 7919 % 1000}-${place}`, at: at ?? new Date(time).toISOString(), ...more };
    });
    return fc.shuffledSubarray(dated, { minLength: dated.length, maxLength: dated.length });
  });
}

const count = fc.option(fc.integer({ min: 0, max: 12 }), { nil: undefined });
export const keepRules: fc.Arbitrary<KeepRules> = fc.record({
  keepLast: count,
  keepHourly: count,
  keepDaily: count,
  keepWeekly: count,
  keepMonthly: count,
  keepYearly: count,
  keepWithin: fc.option(fc.integer({ min: 0, max: 800 * DAY }), { nil: undefined }),
  keepTags: fc.option(fc.subarray(["release", "audit", "missing"]), { nil: undefined }),
}, { requiredKeys: [] });

/** Keep rules, and for some classes their own. */
export const groupedRules: fc.Arbitrary<RetentionRules> = fc.tuple(
  keepRules,
  fc.option(fc.dictionary(fc.constantFrom("volumes", "constructor"), keepRules), { nil: undefined }),
).map(([rules, groups]) => groups === undefined ? rules : { ...rules, groups });

/** Whether the rules alone keep `item`, said without sorting, buckets kept on the way, or words. */
export function ruleKeeps(
  item: RetentionItem,
  items: readonly RetentionItem[],
  rules: RetentionRules,
): boolean {
  const ownGroups = new Map(Object.entries(rules.groups ?? {}));
  const poolOf = ({ group }: RetentionItem) => ownGroups.has(group ?? "") ? group : undefined;
  const own: KeepRules = ownGroups.get(poolOf(item) ?? "") ?? rules;
  if (isEmpty(own)) return true;
  const pool = items.filter((other) => isPast(other) && poolOf(other) === poolOf(item));
  const newer = pool.filter((other) => isNewer(other, item));
  const oldest = newer.length === pool.length - 1;
  if (newer.length < (own.keepLast ?? 0)) return true;
  if (NOW.getTime() - Date.parse(item.at) < (own.keepWithin ?? 0)) return true;
  if (item.tags?.some((tag) => own.keepTags?.includes(tag)) === true) return true;
  return BUCKETS.some(([rule, bucketOf]) => {
    const wanted = own[rule] ?? 0;
    const used = new Set(newer.map(({ at }) => bucketOf(new Date(at))));
    return used.size < wanted && (oldest || !used.has(bucketOf(new Date(item.at))));
  });
}

export function isPast({ at }: RetentionItem): boolean {
  return !/02-30|no time|^$/.test(at) && Date.parse(at) <= NOW.getTime();
}

export function isNewer(a: RetentionItem, b: RetentionItem): boolean {
  const apart = Date.parse(a.at) - Date.parse(b.at);
  return apart > 0 || (apart === 0 && a.id > b.id);
}

export function isEmpty(rules: KeepRules): boolean {
  return !COUNTS.some((rule) => (rules[rule] ?? 0) > 0) && (rules.keepWithin ?? 0) === 0 &&
    (rules.keepTags ?? []).length === 0;
}

/** Weeks are whole Mondays-to-Mondays since one Monday; the others are numbers of the calendar. */
const BUCKETS: readonly (readonly [typeof COUNTS[number], (at: Date) => number])[] = [
  ["keepHourly", (at) => Math.floor(at.getTime() / HOUR)],
  ["keepDaily", (at) => Math.floor(at.getTime() / DAY)],
  ["keepWeekly", (at) => Math.floor((at.getTime() - Date.UTC(2001, 0, 1)) / (7 * DAY))],
  ["keepMonthly", (at) => at.getUTCFullYear() * 12 + at.getUTCMonth()],
  ["keepYearly", (at) => at.getUTCFullYear()],
];
