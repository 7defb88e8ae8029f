/** Retention of rollback points: classes, and what never goes. */
import assert from "node:assert/strict";
import fc from "fast-check";
import "../support/property_seed.ts";
import {
  type RetainedSnapshot,
  snapshotRetention,
  type SnapshotRetentionFacts,
  type SnapshotRetentionSettings,
  STACK_RETENTION,
} from "#/policy/retention_snapshots.ts";
import { DAY, NOW } from "./retention_support.ts";

/** `age` days old. */
function point(id: string, age: number, more: Partial<RetainedSnapshot> = {}, bytes = 1): RetainedSnapshot {
  return {
    id,
    created_at: new Date(NOW.getTime() - age * DAY - 1).toISOString(),
    origin: "manual",
    pinned: false,
    mark: "",
    targets: [{ config: {}, stored_bytes: bytes }],
    ...more,
  };
}

const safety = { origin: "safety" } as const;
const guard = { origin: "guard" } as const;
const volumes = { targets: [{ config: { include_volumes: true }, stored_bytes: 1 }] };

function kept(
  points: readonly RetainedSnapshot[],
  settings: SnapshotRetentionSettings,
  facts?: SnapshotRetentionFacts,
): string {
  return snapshotRetention(points, settings, NOW, facts).decisions
    .filter(({ action }) => action === "keep").map(({ id }) => id).join(" ");
}

Deno.test("retention of points: without a rule everything stays", () => {
  const points = [point("a", 900), point("b", 800, safety), point("c", 1)];
  assert.equal(kept(points, {}), "a b c");
  assert.equal(kept(points, { guard: { keepLast: 1 } }), "a b c");
});

Deno.test("retention of points: the newest by hand, the last good one, pins and needs stay", () => {
  const points = [
    point("old", 9),
    point("needed", 8),
    point("pinned", 7, { pinned: true }),
    point("good-1", 6, { mark: "good" }),
    point("good-2", 5, { mark: "good" }),
    point("bad", 4, { mark: "bad" }),
    point("hand", 3),
    point("guard", 2, guard),
    point("newest", 1, guard),
  ];
  const facts = { needed: new Map([["needed", "an unfinished restore needs it"]]) };
  assert.equal(kept(points, { keepLast: 1 }, facts), "needed pinned good-2 hand newest");
  const { decisions } = snapshotRetention(points, { keepLast: 1 }, NOW, facts);
  assert.deepEqual(decisions.map(({ id, reasons }) => `${id}: ${reasons.join(", ")}`), [
    "old: no rule keeps it",
    "needed: an unfinished restore needs it",
    "pinned: pinned",
    "good-1: no rule keeps it",
    "good-2: the last good one",
    "bad: no rule keeps it",
    "hand: the newest that was made by hand",
    "guard: no rule keeps it",
    "newest: the newest of all, the newest of guard, the newest",
  ]);
});

Deno.test("retention of points: safety points never push others out, and may have rules of their own", () => {
  const points = [
    point("a", 9),
    point("b", 8),
    point("s1", 4, safety),
    point("s2", 3, safety),
    point("s3", 2, safety),
    point("c", 1),
  ];
  assert.equal(kept(points, { keepLast: 2 }), "b s2 s3 c");
  assert.equal(kept(points, { keepLast: 2, safety: { keepLast: 1 } }), "b s3 c");
  assert.equal(kept(points, { keepLast: 9, safety: { keepWithin: 3 * DAY } }), "a b s3 c");
});

Deno.test("retention of points: guards and volumes are counted apart where they have rules", () => {
  const points = [
    point("a", 9),
    point("v1", 8, volumes),
    point("g", 7, guard),
    point("v2", 6, volumes),
    point("h", 5.5, guard),
    point("b", 5),
  ];
  assert.equal(kept(points, { keepLast: 1 }), "h b", "the command of the newest guard may still run");
  assert.equal(kept(points, { keepLast: 3 }), "v2 h b");
  assert.equal(kept(points, { keepLast: 3, withVolumes: { keepLast: 1 } }), "g v2 h b");
  assert.equal(
    kept(points, { keepLast: 1, withVolumes: { keepLast: 1 }, guard: { keepLast: 3 } }),
    "g v2 h b",
  );
});

Deno.test("retention of points: where nothing is configured, ten points of stacks stay, and all others", () => {
  const stack = { targets: [{ type: "container", config: {}, stored_bytes: 1 }] };
  const points = [
    point("files", 99),
    ...Array.from({ length: 12 }, (_, i) => point(`p${i}`, 60 - i, stack)),
    ...Array.from({ length: 12 }, (_, i) => point(`s${i}`, 40 - i, { ...stack, origin: "safety" })),
  ];
  const stays = kept(points, STACK_RETENTION).split(" ");
  const gone = points.map(({ id }) => id).filter((id) => !stays.includes(id));
  assert.deepEqual(gone, ["p0", "p1", "s0", "s1"]);
});

Deno.test("retention of points: what `latest` stands for stays, also where it was imported", () => {
  const imported = { origin: "import" } as const;
  const points = [
    point("i1", 9, imported),
    point("a", 8),
    point("i2", 7, imported),
    point("s", 6, { origin: "safety" }),
  ];
  assert.equal(kept(points, { keepWithin: DAY }), "a i2 s");
});

Deno.test("retention of points: size limits take the oldest, not what must stay", () => {
  const points = [
    point("old", 5, {}, 100),
    point("good", 4, { mark: "good" }, 100),
    point("mid", 3, {}, 100),
    point("new", 1, {}, 100),
  ];
  assert.equal(kept(points, { keepWithin: 90 * DAY, maxBytes: 300 }), "good mid new");
  assert.equal(kept(points, { keepWithin: 90 * DAY, maxBytes: 100 }), "good new");
  const { unmet } = snapshotRetention(points, { maxBytes: 100 }, NOW);
  assert.deepEqual(unmet.map(({ limit }) => limit), ["max_size"]);
});

const snapshots = fc.uniqueArray(
  fc.record({
    id: fc.constantFrom(..."abcdefghijklmnop"),
    created_at: fc.integer({ min: -2, max: 60 }).map((days) =>
      new Date(NOW.getTime() - days * DAY).toISOString()
    ),
    origin: fc.constantFrom("manual", "safety", "guard", "import"),
    pinned: fc.boolean(),
    mark: fc.constantFrom("", "good", "bad"),
    targets: fc.array(
      fc.record({
        type: fc.constantFrom("container", "file_system"),
        config: fc.constantFrom({}, { include_volumes: true }),
        stored_bytes: fc.nat(100),
      }),
      { maxLength: 2 },
    ),
  }),
  { maxLength: 16, selector: ({ id }) => id },
) as fc.Arbitrary<readonly RetainedSnapshot[]>;

const keep = fc.record({ keepLast: fc.nat(4), keepDaily: fc.nat(4), keepWithin: fc.nat(20 * DAY) }, {
  requiredKeys: [],
});
const settings = fc.record({
  keepLast: fc.nat(4),
  keepWeekly: fc.nat(3),
  keepWithin: fc.nat(20 * DAY),
  maxBytes: fc.nat(500),
  minFreeBytes: fc.nat(500),
  safety: keep,
  guard: keep,
  withVolumes: keep,
  stacks: keep,
}, { requiredKeys: [] }) as fc.Arbitrary<SnapshotRetentionSettings>;
const needs = fc.array(fc.constantFrom(..."abcdefghijklmnop"), { maxLength: 3 })
  .map((ids) => new Map(ids.map((id) => [id, "an unfinished operation needs it"])));
const free = fc.option(fc.nat(500), { nil: undefined });

Deno.test("property: what must stay stays, whatever the rules are", () => {
  fc.assert(fc.property(snapshots, settings, needs, free, (points, rules, needed, freeBytes) => {
    const { decisions } = snapshotRetention(points, rules, NOW, { needed, freeBytes });
    assert.deepEqual(decisions.map(({ id }) => id), points.map(({ id }) => id));
    const gone = new Set(decisions.filter(({ action }) => action === "delete").map(({ id }) => id));
    const past = points.filter(({ created_at }) => Date.parse(created_at) <= NOW.getTime());
    const newestOf = (list: readonly RetainedSnapshot[]) =>
      list.toSorted((a, b) => b.created_at.localeCompare(a.created_at) || b.id.localeCompare(a.id))[0];
    const must = [
      newestOf(past),
      newestOf(past.filter(({ mark }) => mark === "good")),
      newestOf(past.filter(({ origin }) => origin === "manual")),
      newestOf(past.filter(({ origin }) => origin === "guard")),
      ...points.filter(({ pinned, id, created_at }) =>
        pinned || needed.has(id) || Date.parse(created_at) > NOW.getTime()
      ),
    ];
    for (const point of must) assert.ok(point === undefined || !gone.has(point.id), `${point?.id} goes`);
    for (const { reasons } of decisions) assert.ok(reasons.length > 0);
  }));
});

Deno.test("property: asking again after the deletions deletes nothing more", () => {
  fc.assert(fc.property(snapshots, settings, needs, (points, rules, needed) => {
    const { decisions } = snapshotRetention(points, rules, NOW, { needed });
    const left = points.filter((_, i) => decisions[i]!.action === "keep");
    const again = snapshotRetention(left, rules, NOW, { needed }).decisions;
    assert.deepEqual(again.filter(({ action }) => action === "delete"), []);
  }));
});

Deno.test("property: further safety points never push out what others keep", () => {
  fc.assert(fc.property(snapshots, settings, (points, rules) => {
    const { maxBytes: _max, minFreeBytes: _free, ...keepRules } = rules;
    const others = points.filter(({ origin }) => origin !== "safety");
    const keptOf = (list: readonly RetainedSnapshot[]) =>
      snapshotRetention(list, keepRules, NOW).decisions.filter(({ action }) => action === "keep").map((
        { id },
      ) => id);
    const with_ = new Set(keptOf(points));
    // Only "the newest of all" may be a safety point instead.
    const lost = keptOf(others).filter((id) => !with_.has(id));
    const newest = others.filter(({ created_at }) => Date.parse(created_at) <= NOW.getTime())
      .toSorted((a, b) => b.created_at.localeCompare(a.created_at) || b.id.localeCompare(a.id))[0];
    assert.deepEqual(lost.filter((id) => id !== newest?.id), []);
  }));
});

Deno.test("property: order changes nothing", () => {
  fc.assert(fc.property(snapshots, settings, (points, rules) => {
    const sorted = (list: readonly RetainedSnapshot[]) =>
      snapshotRetention(list, rules, NOW).decisions.toSorted((a, b) => a.id.localeCompare(b.id));
    assert.deepEqual(sorted(points.toReversed()), sorted(points));
  }));
});
