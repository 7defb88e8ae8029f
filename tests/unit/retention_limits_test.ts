/** The size limits: what they take, what they leave, what they say. */
import assert from "node:assert/strict";
import { decideRetention, unmetLimits } from "#/policy/retention.ts";
import { daily, DAY, decide, GIB, kept, NOW } from "./retention_support.ts";

Deno.test("max_size alone deletes the oldest until the rest fits", () => {
  const items = daily(4, { bytes: 8 * GIB });
  assert.deepEqual(decide(items, { maxBytes: 20 * GIB }), [
    "d0 keep: the newest of all, no keep rule is set",
    "d1 keep: no keep rule is set",
    "d2 delete: over 20 GiB in total: oldest first",
    "d3 delete: over 20 GiB in total: oldest first",
  ]);
  assert.equal(kept(items, { maxBytes: 32 * GIB }), "d0 d1 d2 d3");
  assert.equal(kept(items, { maxBytes: 1 }), "d0");
});

Deno.test("size limits override calendar, age and tags, say so, and stop at keep_last", () => {
  const items = daily(5, { bytes: GIB, tags: ["t"] });
  const rules = { keepLast: 2, keepDaily: 4, keepWithin: 4 * DAY, keepTags: ["t"], maxBytes: 1 };
  const decisions = decideRetention(items, rules, NOW);
  assert.deepEqual(decisions.map(({ action }) => action), ["keep", "keep", "delete", "delete", "delete"]);
  assert.deepEqual(decisions[3]?.reasons, [
    "over 1 B in total: oldest first",
    "overrides: newest of day 2026-10-02",
    "overrides: within 4d",
    "overrides: has the tag t",
  ]);
  assert.deepEqual(unmetLimits(items, decisions, rules), [
    { limit: "max_size", message: "2 GiB stay, over max_size 1 B: the rest may not be deleted" },
  ]);
});

Deno.test("a limit counts only what the keep rules leave", () => {
  const items = daily(10, { bytes: GIB });
  assert.equal(kept(items, { keepLast: 3, maxBytes: 3 * GIB }), "d0 d1 d2");
  assert.equal(kept(items, { keepDaily: 4, maxBytes: 3 * GIB }), "d0 d1 d2");
});

Deno.test("a limit deletes nothing whose deletion frees nothing, and believes no impossible size", () => {
  const sizes = [5, 5, 0, -7, NaN, Infinity, 5];
  const items = daily(7).map((it, index) => ({ ...it, bytes: sizes[index]! }));
  assert.equal(kept(items, { maxBytes: 5 }), "d0 d2 d3 d4 d5");
});

Deno.test("min_free counts what the keep rules free first", () => {
  const items = daily(6, { bytes: GIB });
  const rules = { keepDaily: 4, minFreeBytes: 10 * GIB };
  assert.equal(kept(items, rules, { freeBytes: 8 * GIB }), "d0 d1 d2 d3");
  assert.deepEqual(decide(items, rules, { freeBytes: 7 * GIB }).slice(2), [
    "d2 keep: newest of day 2026-10-03",
    "d3 delete: less than 10 GiB free: oldest first, overrides: newest of day 2026-10-02",
    "d4 delete: no rule keeps it",
    "d5 delete: no rule keeps it",
  ]);
  const decisions = decideRetention(items, rules, NOW, { freeBytes: 0 });
  assert.deepEqual(unmetLimits(items, decisions, rules, { freeBytes: 0 }), [{
    limit: "min_free",
    message: "5 GiB will be free, below min_free 10 GiB: the rest may not be deleted",
  }]);
});

Deno.test("min_free deletes nothing where the free space is unknown, and that is told", () => {
  const items = daily(3);
  const rules = { minFreeBytes: GIB };
  const decisions = decideRetention(items, rules, NOW);
  assert.ok(decisions.every(({ action }) => action === "keep"));
  assert.deepEqual(unmetLimits(items, decisions, rules), [{
    limit: "min_free",
    message: "min_free 1 GiB deletes nothing: the free space of this storage is not known",
  }]);
});

Deno.test("both limits are named where both ask", () => {
  const decisions = decide(daily(2), { maxBytes: 1, minFreeBytes: 1 }, { freeBytes: 0 });
  assert.equal(
    decisions[1],
    "d1 delete: over 1 B in total: oldest first, less than 1 B free: oldest first",
  );
});

Deno.test("no limit is unmet when all is well", () => {
  const items = daily(3);
  const rules = { keepLast: 2, maxBytes: 2, minFreeBytes: 5 };
  const facts = { freeBytes: 4 };
  assert.deepEqual(unmetLimits(items, decideRetention(items, rules, NOW, facts), rules, facts), []);
  assert.deepEqual(unmetLimits(items, decideRetention(items, {}, NOW), {}), []);
});
