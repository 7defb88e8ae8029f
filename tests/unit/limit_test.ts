/** Many requests, so many at a time. */
import assert from "node:assert/strict";
import { InterruptedError } from "#/core/errors.ts";
import { Budget, mapLimited } from "#/storage/limit.ts";

const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

/** Counts how many are under way. */
class Gauge {
  now = 0;
  most = 0;
  started = 0;
  async run(): Promise<void> {
    this.started += 1;
    this.most = Math.max(this.most, ++this.now);
    await turn();
    this.now -= 1;
  }
}

Deno.test("results are in the order of the items, and no more than the limit are under way", async () => {
  const gauge = new Gauge();
  const items = Array.from({ length: 50 }, (_, i) => i);
  const results = await mapLimited(items, 4, async (item, index) => {
    if (item % 7 === 0) await turn();
    await gauge.run();
    return item * 10 + index;
  });
  assert.deepEqual(results, items.map((item) => item * 11));
  assert.equal(gauge.most, 4);
  assert.deepEqual(await mapLimited([], 4, () => Promise.resolve(1)), []);
});

Deno.test("after a failure nothing is begun, and what is under way is awaited", async () => {
  const gauge = new Gauge();
  const work = mapLimited(Array.from({ length: 50 }, (_, i) => i), 3, async (item) => {
    await gauge.run();
    if (item === 4) throw new Error("the fifth");
  });
  await assert.rejects(work, /the fifth/);
  assert.equal(gauge.now, 0);
  assert.ok(gauge.started < 10, `${gauge.started} were begun`);
});

Deno.test("an aborted signal stops between two items", async () => {
  const stop = new AbortController();
  const gauge = new Gauge();
  const work = mapLimited(Array.from({ length: 50 }), 2, async () => {
    await gauge.run();
    if (gauge.started === 6) stop.abort("SIGINT");
  }, stop.signal);
  await assert.rejects(work, InterruptedError);
  assert.ok(gauge.started < 10, `${gauge.started} were begun`);
});

Deno.test("a budget is never overdrawn, and what is larger than all of it runs alone", async () => {
  const budget = new Budget(10);
  let used = 0;
  let most = 0;
  const sizes = [4, 4, 4, 25, 1, 9, 10, 0, 3];
  await Promise.all(sizes.map((size) =>
    budget.use(size, async () => {
      used += Math.min(size, 10);
      most = Math.max(most, used);
      await turn();
      used -= Math.min(size, 10);
    })
  ));
  assert.equal(used, 0);
  assert.ok(most <= 10, `${most} were in use`);
  assert.ok(most >= 8);
  await assert.rejects(budget.use(10, () => Promise.reject(new Error("failed"))), /failed/);
  assert.equal(await budget.use(10, () => Promise.resolve("given back")), "given back");
});
