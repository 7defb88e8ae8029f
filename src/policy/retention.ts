/**
 * Retention: items, rules and the time in; keep or delete with the reasons out. Pure, the same for backups, snapshots,
 * history and operations.
 *
 * What is never deleted: the newest of all, what is pinned, what something needs, and what cannot be judged (a time
 * that is unreadable or ahead of the clock, an id given twice). The last are outside the counts, so that a wrong clock
 * cannot push good items out of them.
 *
 * Size limits (max_size, min_free) come after the keep rules and take the oldest first, also what a calendar rule,
 * keep_within or keep_tags would keep: those grow with how busy a week was, and a limit that yields to them would
 * protect no disk. They stop at the keep_last newest: that number is small, chosen, and what somebody counts on at
 * night, and a deleted backup does not come back, while a disk over its limit is told (`unmetLimits`) and can be helped.
 * The reasons of such a deletion name the rules that were overridden.
 */
import {
  applyKeepRules,
  type DatedItem,
  type Give,
  hasKeepRules,
  type KeepReason,
} from "./retention_keep.ts";
import { brokenLimits, bytesOf, type Usage, usageAfter } from "./retention_limits.ts";
import {
  checkRetention,
  type RetentionDecision,
  type RetentionFacts,
  type RetentionItem,
  type RetentionRules,
} from "./retention_rules.ts";

export { type UnmetLimit, unmetLimits } from "./retention_limits.ts";
export type {
  HistoryRules,
  KeepRules,
  RetentionDecision,
  RetentionFacts,
  RetentionItem,
  RetentionRules,
  RetentionSettings,
} from "./retention_rules.ts";

/**
 * Decides for each item, in the order of `items`; their order changes nothing else. Of two items of the same
 * millisecond, the one with the greater id is the newer.
 *
 * Applying the answer and asking again with the same `now` (and the free space measured anew) deletes nothing more.
 * Raising a keep rule that is set never lets the rules delete more, nor does raising max_size or lowering min_free;
 * but where max_size is reached, keeping more of the new leaves less room for the old.
 *
 * @throws {UsageError} when a rule is negative, broken or infinite, or `now` is no time
 */
export function decideRetention(
  items: readonly RetentionItem[],
  rules: RetentionRules,
  now: Date,
  facts: RetentionFacts = {},
): readonly RetentionDecision[] {
  checkRetention(rules, now, facts);
  const newestFirst: DatedItem[] = [];
  const reasons = items.map((): KeepReason[] => []);
  const give: Give = ({ index }, text, strength = "rule") => {
    reasons[index]!.push({ text, strength });
  };

  const repeated = repeatedIds(items);
  items.forEach((item, index) => {
    const time = parseTime(item.at);
    const doubt = doubtAbout(time, repeated.has(item.id), now);
    if (doubt === undefined) newestFirst.push({ item, index, time });
    else give({ index }, doubt, "firm");
  });
  newestFirst.sort(byNewest);

  if (newestFirst[0] !== undefined) give(newestFirst[0], "the newest of all", "firm");
  items.forEach(({ pinned, needed }, index) => {
    if (pinned !== undefined) give({ index }, pinned === "" ? "pinned" : `pinned: ${pinned}`, "firm");
    if (needed !== undefined) give({ index }, needed === "" ? "still needed" : needed, "firm");
  });
  for (const { pool, own, suffix } of pools(newestFirst, rules)) {
    if (hasKeepRules(own)) applyKeepRules(pool, own, now, suffix, give);
    else pool.forEach((dated) => give(dated, `no keep rule is set${suffix}`, "unruled"));
  }
  const overruled = applyLimits(items, newestFirst, reasons, rules, facts);
  return items.map(({ id }, index) => decision(id, reasons[index]!, overruled.get(index)));
}

function decision(
  id: string,
  keep: readonly KeepReason[],
  limits: readonly string[] | undefined,
): RetentionDecision {
  if (keep.length === 0) return { id, action: "delete", reasons: ["no rule keeps it"] };
  if (limits === undefined) return { id, action: "keep", reasons: keep.map(({ text }) => text) };
  const overridden = keep.filter(({ strength }) => strength === "rule").map(({ text }) =>
    `overrides: ${text}`
  );
  return { id, action: "delete", reasons: [...limits, ...overridden] };
}

/** Items that are counted together, and by which rules. */
function pools(newestFirst: readonly DatedItem[], rules: RetentionRules) {
  const groups = new Map(Object.entries(rules.groups ?? {}));
  const common = newestFirst.filter(({ item }) => item.group === undefined || !groups.has(item.group));
  return [
    { pool: common, own: rules, suffix: "" },
    ...[...groups].map(([group, own]) => ({
      pool: newestFirst.filter(({ item }) => item.group === group),
      own,
      suffix: ` (${group})`,
    })),
  ];
}

/** What goes although a rule keeps it, with the limits that ask for it. */
function applyLimits(
  items: readonly RetentionItem[],
  newestFirst: readonly DatedItem[],
  reasons: readonly (readonly KeepReason[])[],
  rules: RetentionRules,
  facts: RetentionFacts,
): ReadonlyMap<number, readonly string[]> {
  const overruled = new Map<number, readonly string[]>();
  let usage: Usage = usageAfter(items, (index) => reasons[index]!.length > 0, facts);
  for (const { item, index } of newestFirst.toReversed()) {
    const limits = brokenLimits(rules, usage);
    if (limits.length === 0) break;
    const bytes = bytesOf(item);
    const keep = reasons[index]!;
    // What takes no space would be lost for nothing.
    if (bytes === 0 || keep.length === 0 || keep.some(({ strength }) => strength === "firm")) continue;
    overruled.set(index, limits);
    usage = { kept: usage.kept - bytes, free: usage.free === undefined ? undefined : usage.free + bytes };
  }
  return overruled;
}

function doubtAbout(time: number, repeated: boolean, now: Date): string | undefined {
  if (repeated) return "its id is listed twice";
  if (Number.isNaN(time)) return "its time cannot be read";
  if (time > now.getTime()) return "its time is ahead of the clock";
  return undefined;
}

function repeatedIds(items: readonly RetentionItem[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const { id } of items) (seen.has(id) ? repeated : seen).add(id);
  return repeated;
}

function byNewest(a: DatedItem, b: DatedItem): number {
  if (a.time !== b.time) return b.time - a.time;
  return a.item.id < b.item.id ? 1 : -1;
}

const RFC_3339 =
  /^(\d{4}-\d{2}-\d{2})T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** RFC 3339 in milliseconds since 1970, NaN for anything else: the engine would read February 30 as March 2. */
function parseTime(at: string): number {
  const text = at.toUpperCase();
  const date = RFC_3339.exec(text)?.[1];
  const midnight = date === undefined ? NaN : Date.parse(`${date}T00:00:00Z`);
  if (Number.isNaN(midnight) || !new Date(midnight).toISOString().startsWith(date!)) return NaN;
  return Date.parse(text);
}
