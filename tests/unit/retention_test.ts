/** What the keep rules decide, with their reasons. */
import assert from "node:assert/strict";
import { UsageError } from "#/core/errors.ts";
import { decideRetention, type RetentionRules } from "#/policy/retention.ts";
import { ordinal, sizeWords, spanWords } from "#/policy/retention_words.ts";
import { daily, DAY, decide, GIB, item, kept, NOW } from "./retention_support.ts";

Deno.test("no items, no decisions", () => {
  assert.deepEqual(decideRetention([], { keepLast: 1, maxBytes: 1 }, NOW), []);
});

Deno.test("without any rule everything is kept; 0 and an empty list are no rule", () => {
  const items = [item("a", "2020-01-01T00:00:00Z"), item("b", "2026-10-05T00:00:00Z")];
  const expected = ["a keep: no keep rule is set", "b keep: the newest of all, no keep rule is set"];
  assert.deepEqual(decide(items, {}), expected);
  assert.deepEqual(
    decide(items, { keepLast: 0, keepDaily: 0, keepWithin: 0, keepTags: [], maxBytes: 0, minFreeBytes: 0 }),
    expected,
  );
});

Deno.test("keep_last counts the newest, in the order of the question", () => {
  const items = [
    item("old", "2026-10-01T00:00:00Z"),
    item("newest", "2026-10-04T00:00:00Z"),
    item("third", "2026-10-02T00:00:00Z"),
    item("second", "2026-10-03T00:00:00Z"),
  ];
  assert.deepEqual(decide(items, { keepLast: 3 }), [
    "old delete: no rule keeps it",
    "newest keep: the newest of all, the newest",
    "third keep: the 3rd newest",
    "second keep: the 2nd newest",
  ]);
});

Deno.test("calendar rules keep the newest of each bucket that has any, in UTC", () => {
  const items = [
    item("a", "2026-10-05T11:59:00Z"),
    item("b", "2026-10-05T11:01:00Z"),
    item("c", "2026-10-05T01:30:00+02:00"), // the 4th in UTC
    item("d", "2026-10-04T10:00:00Z"),
    item("e", "2026-09-01T10:00:00Z"),
    item("f", "2024-09-01T10:00:00Z"),
    item("g", "2024-08-31T10:00:00Z"),
  ];
  assert.deepEqual(decide(items, { keepHourly: 2 }), [
    "a keep: the newest of all, newest of hour 2026-10-05T11",
    "b delete: no rule keeps it",
    "c keep: newest of hour 2026-10-04T23",
    ...["d", "e", "f", "g"].map((id) => `${id} delete: no rule keeps it`),
  ]);
  assert.deepEqual(decide(items, { keepDaily: 3 }).slice(0, 5), [
    "a keep: the newest of all, newest of day 2026-10-05",
    "b delete: no rule keeps it",
    "c keep: newest of day 2026-10-04",
    "d delete: no rule keeps it",
    "e keep: newest of day 2026-09-01",
  ]);
  assert.equal(kept(items, { keepWeekly: 2 }), "a c");
  assert.equal(kept(items, { keepMonthly: 3 }), "a e f");
  assert.equal(kept(items, { keepYearly: 2 }), "a f");
});

Deno.test("the very oldest is kept while a calendar rule is not filled", () => {
  const items = [
    item("a", "2026-10-05T00:00:00Z"),
    item("b", "2026-05-05T00:00:00Z"),
    item("c", "2026-01-05T00:00:00Z"),
  ];
  assert.deepEqual(decide(items, { keepYearly: 2 }), [
    "a keep: the newest of all, newest of year 2026",
    "b delete: no rule keeps it",
    "c keep: the oldest, while keep_yearly has 1 of 2",
  ]);
  assert.equal(kept(items, { keepYearly: 1 }), "a");
});

Deno.test("weeks are those of ISO 8601, also around new year", () => {
  const weeks: Readonly<Record<string, string>> = {
    "2021-01-03T23:59:59.999Z": "2020-W53",
    "2021-01-04T00:00:00Z": "2021-W01",
    "2024-12-30T00:00:00Z": "2025-W01",
    "2022-01-01T12:00:00Z": "2021-W52",
    "2026-10-05T00:00:00Z": "2026-W41",
    "2026-10-04T23:59:59Z": "2026-W40",
    "0001-01-01T00:00:00Z": "0001-W01",
    "0000-01-01T00:00:00Z": "-000001-W52",
  };
  for (const [at, week] of Object.entries(weeks)) {
    const [only] = decideRetention([item("a", at)], { keepWeekly: 1 }, NOW);
    assert.deepEqual(only?.reasons, ["the newest of all", `newest of week ${week}`], at);
  }
});

Deno.test("keep_within is measured from now and does not include its own bound", () => {
  const at = (age: number) => new Date(NOW.getTime() - age).toISOString();
  const items = [item("now", at(0)), item("inside", at(90 * DAY - 1)), item("bound", at(90 * DAY))];
  assert.deepEqual(decide(items, { keepWithin: 90 * DAY }), [
    "now keep: the newest of all, within 90d",
    "inside keep: within 90d",
    "bound delete: no rule keeps it",
  ]);
});

Deno.test("keep_tags keeps what has any of them", () => {
  const items = [
    item("a", "2026-10-05T00:00:00Z"),
    item("b", "2026-10-04T00:00:00Z", { tags: ["x", "release", "release"] }),
    item("c", "2026-10-03T00:00:00Z", { tags: ["x"] }),
    item("d", "2026-10-02T00:00:00Z", { tags: ["audit", "release"] }),
  ];
  assert.deepEqual(decide(items, { keepTags: ["release", "audit"] }), [
    "a keep: the newest of all",
    "b keep: has the tag release",
    "c delete: no rule keeps it",
    "d keep: has the tag audit, has the tag release",
  ]);
});

Deno.test("what is pinned or needed is kept with the reason that was given", () => {
  const items = [
    ...daily(1),
    item("pin", "2020-01-01T00:00:00Z", { pinned: "incident 42" }),
    item("pin2", "2020-01-02T00:00:00Z", { pinned: "" }),
    item("need", "2020-01-03T00:00:00Z", { needed: "an unfinished operation needs it" }),
    item("none", "2020-01-04T00:00:00Z"),
  ];
  assert.deepEqual(decide(items, { keepLast: 1, maxBytes: 1 }), [
    "d0 keep: the newest of all, the newest",
    "pin keep: pinned: incident 42",
    "pin2 keep: pinned",
    "need keep: an unfinished operation needs it",
    "none delete: no rule keeps it",
  ]);
});

Deno.test("what cannot be judged is kept and takes nobody's place", () => {
  const unreadable = [
    "",
    "yesterday",
    "2026-02-30T00:00:00Z",
    "2026-10-05",
    "2026-10-05T24:00:00Z",
    "2026-10-05T00:00:00",
    "2026-10-05T00:00:60Z",
    "1791115200000",
  ];
  const items = [
    ...daily(2),
    ...unreadable.map((at, index) => item(`u${index}`, at)),
    item("ahead", "2026-10-05T12:00:00.001Z"),
    item("twice", "2020-01-01T00:00:00Z"),
    item("twice", "2020-01-02T00:00:00Z"),
  ];
  assert.deepEqual(decide(items, { keepLast: 1, maxBytes: 1 }), [
    "d0 keep: the newest of all, the newest",
    "d1 delete: no rule keeps it",
    ...unreadable.map((_, index) => `u${index} keep: its time cannot be read`),
    "ahead keep: its time is ahead of the clock",
    "twice keep: its id is listed twice",
    "twice keep: its id is listed twice",
  ]);
});

Deno.test("times are read in every form of RFC 3339; of equal ones the greater id is newer", () => {
  const items = [
    item("a", "2026-10-01t08:00:00z"),
    item("c", "2026-10-01T10:00:00.000+02:00"),
    item("b", "2026-10-01T08:00:00.000999Z"),
    item("x", "2024-02-29T00:00:00-00:00"),
  ];
  assert.equal(kept(items, { keepLast: 1 }), "c");
  assert.equal(kept(items, { keepLast: 2 }), "c b");
  assert.equal(kept(items, { keepLast: 3 }), "a c b");
});

Deno.test("a named group is counted apart and by its own rules only", () => {
  const items = daily(6).map((it, index) => ({ ...it, group: index % 2 === 0 ? "plain" : "volumes" }));
  assert.deepEqual(decide(items, { keepLast: 1, groups: { volumes: { keepDaily: 2 } } }), [
    "d0 keep: the newest of all, the newest",
    "d1 keep: newest of day 2026-10-04 (volumes)",
    "d2 delete: no rule keeps it",
    "d3 keep: newest of day 2026-10-02 (volumes)",
    "d4 delete: no rule keeps it",
    "d5 delete: no rule keeps it",
  ]);
  assert.equal(kept(items, { keepLast: 1, groups: { volumes: {} } }), "d0 d1 d3 d5");
  assert.equal(kept(items, { groups: { volumes: { keepLast: 1 } } }), "d0 d1 d2 d4");
  assert.equal(kept(items, { groups: { volumes: { keepLast: 2 } }, maxBytes: 1 }), "d0 d1 d3");
  assert.equal(kept(items.map((it) => ({ ...it, group: "constructor" })), { keepLast: 1 }), "d0");
});

Deno.test("rules that cannot be meant are refused before anything is decided", () => {
  const bad: readonly [RetentionRules, RegExp][] = [
    [{ keepLast: -1 }, /-1 for keep_last/],
    [{ keepDaily: 1.5 }, /1\.5 for keep_daily/],
    [{ keepWithin: NaN }, /NaN for keep_within/],
    [{ keepYearly: Infinity }, /Infinity for keep_yearly/],
    [{ maxBytes: -5 }, /-5 for max_size/],
    [{ minFreeBytes: NaN }, /NaN for min_free/],
    [{ groups: { volumes: { keepWeekly: -2 } } }, /-2 for keep_weekly of volumes/],
  ];
  for (const [rules, message] of bad) {
    assert.throws(
      () => decideRetention([], rules, NOW),
      (error) => error instanceof UsageError && message.test(error.message),
    );
  }
  assert.throws(() => decideRetention([], {}, new Date(NaN)), UsageError);
  assert.throws(() => decideRetention([], {}, NOW, { freeBytes: -1 }), UsageError);
});

Deno.test("the question is left as it was", () => {
  const items = Object.freeze(daily(5).map((it) => Object.freeze(it)).toReversed());
  const before = structuredClone(items);
  decideRetention(items, Object.freeze({ keepLast: 2, maxBytes: 1 }), NOW);
  assert.deepEqual(items, before);
});

Deno.test("a hundred thousand items are no trouble", () => {
  const items = Array.from(
    { length: 100_000 },
    (_, n) => item(`i${n}`, new Date(NOW.getTime() - n * 3_600_000).toISOString()),
  );
  const rules = {
    keepLast: 10,
    keepHourly: 24,
    keepDaily: 7,
    keepWeekly: 4,
    keepMonthly: 12,
    keepYearly: 20,
  };
  const count = kept(items, rules).split(" ").length;
  assert.ok(count >= 24 + 12 && count <= 24 + 7 + 4 + 12 + 20 + 1, `${count} kept`);
});

Deno.test("numbers in the reasons", () => {
  assert.deepEqual([1, 2, 3, 4, 10, 11, 12, 13, 21, 22, 101, 111, 112, 1003].map(ordinal), [
    ...[
      "1st",
      "2nd",
      "3rd",
      "4th",
      "10th",
      "11th",
      "12th",
      "13th",
      "21st",
      "22nd",
      "101st",
      "111th",
      "112th",
    ],
    "1003rd",
  ]);
  assert.deepEqual([0, 1, 1023, 1536, 20 * GIB, 2.55 * GIB, 1024 ** 5].map(sizeWords), [
    ...["0 B", "1 B", "1023 B", "1.5 KiB", "20 GiB", "2.55 GiB", "1024 TiB"],
  ]);
  assert.deepEqual([0, 500, 1_500, 60_000, 90 * DAY, 1.5 * DAY, 8 * DAY + 1].map(spanWords), [
    ...["0ms", "500ms", "1s500ms", "1m", "90d", "1d12h", "8d1ms"],
  ]);
});
