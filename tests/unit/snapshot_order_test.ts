/** In which order targets are restored, and captured side by side. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { UsageError } from "#/core/errors.ts";
import { inOrder, type Ordered, refuseSeveralFinal, restoreOrder } from "#/snapshot/order.ts";

const RANK = { exact: 0, compensating: 1, none: 2 } as const;

/** Targets that name only earlier ones in `after`: never in a circle. */
const targets: fc.Arbitrary<readonly Ordered[]> = fc.array(
  fc.record({
    undo: fc.constantFrom("exact" as const, "compensating" as const, "none" as const),
    after: fc.array(fc.nat(7), { maxLength: 3 }),
  }),
  { maxLength: 8 },
).map((items) =>
  items.map(({ undo, after }, i) => ({
    name: `t${i}`,
    undo,
    after: after.filter((it) => it < i).map((it) => `t${it}`),
  }))
);

Deno.test("property: an order keeps to `after` and to the classes, or is refused because the two contradict", () => {
  fc.assert(fc.property(targets, (items) => {
    const byName = new Map(items.map((item) => [item.name, item]));
    const conflict = items.some(({ undo, after }) =>
      after.some((name) => RANK[byName.get(name)!.undo] > RANK[undo])
    );
    if (conflict) return assert.throws(() => restoreOrder(items), UsageError);
    const ordered = restoreOrder(items);
    assert.deepEqual(ordered.map(({ name }) => name).toSorted(), items.map(({ name }) => name).toSorted());
    const place = new Map(ordered.map(({ name }, i) => [name, i]));
    for (const { name, after } of ordered) {
      for (const before of after) assert.ok(place.get(before)! < place.get(name)!);
    }
    const ranks = ordered.map(({ undo }) => RANK[undo]);
    assert.deepEqual(ranks, ranks.toSorted());
  }));
});

Deno.test("what does not depend on anything keeps the order given", () => {
  const names = ["c", "a", "b"];
  const ordered = restoreOrder(names.map((name): Ordered => ({ name, undo: "exact", after: [] })));
  assert.deepEqual(ordered.map(({ name }) => name), names);
});

Deno.test("a circle is refused, a name that is not among them means nothing", () => {
  const circle: readonly Ordered[] = [
    { name: "a", undo: "exact", after: ["b"] },
    { name: "b", undo: "exact", after: ["a"] },
  ];
  assert.throws(() => restoreOrder(circle), /a, b wait for each other/);
  assert.equal(restoreOrder([{ name: "a", undo: "exact", after: ["gone"] }]).length, 1);
  const final: Ordered = { name: "x", undo: "none", after: [] };
  assert.throws(() => refuseSeveralFinal([final, { ...final, name: "y" }]), UsageError);
});

Deno.test("property: side by side up to the limit, each after those it waits for", async () => {
  await fc.assert(
    fc.asyncProperty(targets, fc.integer({ min: 1, max: 4 }), async (items, limit) => {
      const done = new Set<string>();
      let running = 0;
      const results = await inOrder(items, limit, async ({ name, after }, index) => {
        running += 1;
        assert.ok(running <= limit);
        assert.ok(after.every((before) => done.has(before)));
        await new Promise((resolve) => setTimeout(resolve, 0));
        running -= 1;
        done.add(name);
        return index;
      }, () => assert.fail("nothing failed"));
      assert.deepEqual(results, [...items.keys()]);
    }),
    { numRuns: 25 },
  );
});

Deno.test("the first failure is thrown when what was under way has ended, and nothing more is begun", async () => {
  const begun: string[] = [];
  const ended: string[] = [];
  const failures: unknown[] = [];
  const items = ["a", "b", "c"].map((name) => ({ name, after: name === "c" ? ["a"] : [] }));
  const work = async ({ name }: { readonly name: string }) => {
    begun.push(name);
    if (name === "b") throw new Error("b is broken");
    await new Promise((resolve) => setTimeout(resolve, 5));
    ended.push(name);
  };
  await assert.rejects(inOrder(items, 4, work, (error) => failures.push(error)), /b is broken/);
  assert.deepEqual(begun, ["a", "b"]);
  assert.deepEqual(ended, ["a"]);
  assert.equal(failures.length, 1);
});
