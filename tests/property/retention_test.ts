import assert from "node:assert/strict";
import fc from "fast-check";
import "../support/property_seed.ts";
import {
  decideRetention,
  type RetentionDecision,
  type RetentionFacts,
  type RetentionItem,
  type RetentionRules,
  unmetLimits,
} from "#/policy/retention.ts";
import {
  COUNTS,
  DAY,
  groupedRules,
  history,
  isEmpty,
  isNewer,
  isPast,
  keepRules,
  NOW,
  ruleKeeps,
} from "./retention_world.ts";

const RUNS = { numRuns: 600 };
const anything = history({ odd: true, maxLength: 120 });
const short = history({ odd: true, maxLength: 40 });
const limits = fc.record({
  maxBytes: fc.option(fc.integer({ min: 0, max: 1500 }), { nil: undefined }),
  minFreeBytes: fc.option(fc.integer({ min: 0, max: 1500 }), { nil: undefined }),
});
const facts: fc.Arbitrary<RetentionFacts> = fc.record({
  freeBytes: fc.option(fc.integer({ min: 0, max: 1500 }), { nil: undefined }),
});

function deletedIds(decisions: readonly RetentionDecision[]): Set<string> {
  return new Set(decisions.filter(({ action }) => action === "delete").map(({ id }) => id));
}

function keptOf(items: readonly RetentionItem[], decisions: readonly RetentionDecision[]): RetentionItem[] {
  return items.filter((_, index) => decisions[index]!.action === "keep");
}

function isSubset(inner: ReadonlySet<string>, outer: ReadonlySet<string>): boolean {
  return [...inner].every((id) => outer.has(id));
}

const size = ({ bytes }: RetentionItem) => bytes > 0 && bytes < Infinity ? bytes : 0;
const total = (items: readonly RetentionItem[]) => items.reduce((sum, it) => sum + size(it), 0);

/** What nothing may delete. */
function isSafe(item: RetentionItem, items: readonly RetentionItem[]): boolean {
  const newest = isPast(item) && !items.some((other) => isPast(other) && isNewer(other, item));
  return newest || item.pinned !== undefined || item.needed !== undefined || !isPast(item);
}

Deno.test("without limits exactly what a rule keeps and what is safe stays", () => {
  fc.assert(
    fc.property(anything, groupedRules, (items, rules) => {
      decideRetention(items, rules, NOW).forEach(({ id, action, reasons }, index) => {
        const item = items[index]!;
        const expected = isSafe(item, items) || ruleKeeps(item, items, rules) ? "keep" : "delete";
        assert.equal(action, expected, `${id} ${item.at}: ${reasons.join("; ")}`);
      });
    }),
    RUNS,
  );
});

Deno.test("limits never delete the newest of all, what is pinned or needed, what cannot be judged, or keep_last", () => {
  fc.assert(
    fc.property(anything, keepRules, limits, facts, (items, rules, limit, fact) => {
      const decisions = decideRetention(items, { ...rules, ...limit }, NOW, fact);
      decisions.forEach(({ id, action }, index) => {
        const item = items[index]!;
        const newer = items.filter((other) => isPast(other) && isNewer(other, item)).length;
        if (isSafe(item, items) || newer < (rules.keepLast ?? 0)) assert.equal(action, "keep", id);
      });
    }),
    RUNS,
  );
});

Deno.test("a limit takes the oldest first, no more than it must, and is met unless that is told", () => {
  fc.assert(
    fc.property(anything, keepRules, limits, facts, (items, rules, limit, fact) => {
      const all = { ...rules, ...limit };
      const byRules = decideRetention(items, rules, NOW);
      const decisions = decideRetention(items, all, NOW, fact);
      const rulesDelete = deletedIds(byRules);
      assert.ok(isSubset(rulesDelete, deletedIds(decisions)));

      const taken = items.filter(({ id }, index) =>
        decisions[index]!.action === "delete" && !rulesDelete.has(id)
      );
      assert.ok(taken.every((item) => size(item) > 0), "what frees nothing is lost for nothing");
      const left = keptOf(items, decisions);
      const broken = (kept: readonly RetentionItem[]) => {
        const over = (limit.maxBytes ?? 0) > 0 && total(kept) > limit.maxBytes!;
        const free = fact.freeBytes === undefined ? undefined : fact.freeBytes + total(items) - total(kept);
        return over || (free !== undefined && free < (limit.minFreeBytes ?? 0));
      };
      const newestTaken = taken.find((item) => !taken.some((other) => isNewer(other, item)));
      if (newestTaken !== undefined) {
        assert.ok(broken([...left, newestTaken]), `${newestTaken.id} need not go`);
        const spared = left.filter((item) =>
          isPast(item) && isNewer(newestTaken, item) && size(item) > 0 && !isSafe(item, items) &&
          !isAmongLast(item, items, rules.keepLast ?? 0)
        );
        assert.deepEqual(spared, [], `older than ${newestTaken.id}, and kept`);
      }
      const told = unmetLimits(items, decisions, all, fact).filter(({ message }) =>
        !message.includes("not known")
      );
      assert.equal(told.length > 0, broken(left));
      if (told.length === 0) return;
      const more = left.filter((item) =>
        size(item) > 0 && !isSafe(item, items) && !isAmongLast(item, items, rules.keepLast ?? 0)
      );
      assert.deepEqual(more, [], "a limit is not met although something may go");
    }),
    RUNS,
  );
});

function isAmongLast(item: RetentionItem, items: readonly RetentionItem[], count: number): boolean {
  return items.filter((other) => isPast(other) && isNewer(other, item)).length < count;
}

Deno.test("a larger keep rule never lets the rules delete more", () => {
  const raise = fc.tuple(fc.constantFrom(...COUNTS), fc.integer({ min: 1, max: 20 }));
  fc.assert(
    fc.property(anything, keepRules, raise, (items, rules, [rule, more]) => {
      fc.pre(!isEmpty(rules));
      const before = deletedIds(decideRetention(items, rules, NOW));
      const after = deletedIds(decideRetention(items, { ...rules, [rule]: (rules[rule] ?? 0) + more }, NOW));
      assert.ok(isSubset(after, before));
    }),
    RUNS,
  );
});

Deno.test("a longer keep_within and more keep_tags never let the rules delete more", () => {
  fc.assert(
    fc.property(anything, keepRules, fc.integer({ min: 1, max: 900 * DAY }), (items, rules, more) => {
      fc.pre(!isEmpty(rules));
      const before = deletedIds(decideRetention(items, rules, NOW));
      const longer = { ...rules, keepWithin: (rules.keepWithin ?? 0) + more };
      assert.ok(isSubset(deletedIds(decideRetention(items, longer, NOW)), before));
      const tagged = { ...rules, keepTags: [...rules.keepTags ?? [], "x"] };
      assert.ok(isSubset(deletedIds(decideRetention(items, tagged, NOW)), before));
    }),
    RUNS,
  );
});

Deno.test("what a larger keep rule costs under a limit, the limit takes and says so", () => {
  const raise = fc.tuple(fc.constantFrom(...COUNTS), fc.integer({ min: 1, max: 20 }));
  fc.assert(
    fc.property(anything, keepRules, raise, limits, facts, (items, rules, [rule, more], limit, fact) => {
      fc.pre(!isEmpty(rules));
      const before = deletedIds(decideRetention(items, { ...rules, ...limit }, NOW, fact));
      const raised = { ...rules, [rule]: (rules[rule] ?? 0) + more };
      for (const { id, action, reasons } of decideRetention(items, { ...raised, ...limit }, NOW, fact)) {
        if (action === "delete" && !before.has(id)) {
          assert.match(reasons[0]!, /^(over|less than) .*: oldest first$/);
        }
      }
    }),
    RUNS,
  );
});

Deno.test("a larger max_size, a smaller min_free and more free space never delete more", () => {
  const some = fc.integer({ min: 1, max: 1500 });
  fc.assert(
    fc.property(anything, groupedRules, some, some, some, some, (items, rules, bytes, floor, free, more) => {
      const ask = (maxBytes: number, minFreeBytes: number, freeBytes: number) =>
        deletedIds(decideRetention(items, { ...rules, maxBytes, minFreeBytes }, NOW, { freeBytes }));
      const before = ask(bytes, floor + more, free);
      assert.ok(isSubset(ask(bytes + more, floor + more, free), before));
      assert.ok(isSubset(ask(bytes, floor, free), before));
      assert.ok(isSubset(ask(bytes, floor + more, free + more), before));
    }),
    RUNS,
  );
});

Deno.test("a pin, or a need, never deletes anything without limits, and never its own item with them", () => {
  fc.assert(
    fc.property(anything, fc.nat(), groupedRules, limits, facts, (items, pick, rules, limit, fact) => {
      fc.pre(items.length > 0);
      const chosen = pick % items.length;
      for (const hold of [{ pinned: "" }, { needed: "a reader" }]) {
        const held = items.map((item, index) => index === chosen ? { ...item, ...hold } : item);
        const before = deletedIds(decideRetention(items, rules, NOW));
        const after = deletedIds(decideRetention(held, rules, NOW));
        before.delete(items[chosen]!.id);
        assert.deepEqual(after, before);
        const limited = decideRetention(held, { ...rules, ...limit }, NOW, fact);
        assert.equal(limited[chosen]!.action, "keep");
      }
    }),
    RUNS,
  );
});

Deno.test("asking again after it was applied deletes nothing more, with and without limits", () => {
  fc.assert(
    fc.property(anything, groupedRules, limits, facts, (items, rules, limit, { freeBytes }) => {
      const all: RetentionRules = { ...rules, ...limit };
      const left = keptOf(items, decideRetention(items, all, NOW, { freeBytes }));
      const measured = freeBytes === undefined ? undefined : freeBytes + total(items) - total(left);
      const again = decideRetention(left, all, NOW, { freeBytes: measured });
      assert.deepEqual(deletedIds(again), new Set());
    }),
    RUNS,
  );
});

Deno.test("an apply that stopped anywhere ends in the same place when it is run again, without limits", () => {
  fc.assert(
    fc.property(anything, groupedRules, fc.infiniteStream(fc.boolean()), (items, rules, done) => {
      const decisions = decideRetention(items, rules, NOW);
      const end = new Set(keptOf(items, decisions).map(({ id }) => id));
      const partly = items.filter((_, index) =>
        decisions[index]!.action === "keep" || done.next().value !== true
      );
      const after = keptOf(partly, decideRetention(partly, rules, NOW)).map(({ id }) => id);
      assert.deepEqual(new Set(after), end);
    }),
    RUNS,
  );
});

Deno.test("the order of the question changes nothing, nor does asking twice", () => {
  const shuffled = anything.chain((items) =>
    fc.tuple(
      fc.constant(items),
      fc.shuffledSubarray(items, { minLength: items.length, maxLength: items.length }),
    )
  );
  fc.assert(
    fc.property(shuffled, groupedRules, limits, facts, ([items, other], rules, limit, fact) => {
      const all = { ...rules, ...limit };
      const first = decideRetention(items, all, NOW, fact);
      assert.deepEqual(decideRetention(items, all, NOW, fact), first);
      assert.deepEqual(first.map(({ id }) => id), items.map(({ id }) => id));
      const byId = new Map(decideRetention(other, all, NOW, fact).map((decision) => [decision.id, decision]));
      for (const decision of first) assert.deepEqual(byId.get(decision.id), decision);
    }),
    RUNS,
  );
});

Deno.test("every decision has its reasons, and none twice", () => {
  fc.assert(
    fc.property(anything, groupedRules, limits, facts, (items, rules, limit, fact) => {
      for (const { reasons } of decideRetention(items, { ...rules, ...limit }, NOW, fact)) {
        assert.ok(reasons.length > 0 && reasons.every((reason) => reason.length > 0));
        assert.equal(new Set(reasons).size, reasons.length, reasons.join("; "));
      }
    }),
    RUNS,
  );
});

Deno.test("an id given twice is never deleted, whatever else is", () => {
  fc.assert(
    fc.property(short, groupedRules, limits, facts, fc.nat(), (items, rules, limit, fact, pick) => {
      fc.pre(items.length > 0);
      const twin = { ...items[pick % items.length]!, at: "2001-01-01T00:00:00Z" };
      const decisions = decideRetention([...items, twin], { ...rules, ...limit }, NOW, fact);
      assert.ok(!deletedIds(decisions).has(twin.id));
    }),
    RUNS,
  );
});

Deno.test("day after day for years, what stays is bounded by the rules and reaches as far back as they say", () => {
  const rules = { keepLast: 3, keepDaily: 7, keepWeekly: 4, keepMonthly: 12, keepYearly: 5 };
  let items: RetentionItem[] = [];
  let most = 0;
  const first = Date.UTC(2018, 0, 1, 2);
  const days = Math.floor((NOW.getTime() - first) / DAY);
  for (let day = 0; day <= days; day++) {
    const now = new Date(first + day * DAY);
    items.push({ id: String(day), at: now.toISOString(), bytes: 1 });
    items = keptOf(items, decideRetention(items, rules, now));
    most = Math.max(most, items.length);
  }
  assert.ok(most <= 3 + 7 + 4 + 12 + 5, `${most} at once`);
  const years = new Set(items.map(({ at }) => at.slice(0, 4)));
  assert.deepEqual([...years].sort(), ["2022", "2023", "2024", "2025", "2026"]);
  const months = new Set(items.map(({ at }) => at.slice(0, 7)));
  for (let back = 0; back < 12; back++) {
    const month = new Date(Date.UTC(2026, 9 - back, 1)).toISOString().slice(0, 7);
    assert.ok(months.has(month), month);
  }
});
