/** The order of dependencies. */
import assert from "node:assert/strict";
import { dependentsOf, graphOf, withNeeds } from "#/component/graph.ts";
import { parseManifest } from "#/component/manifest.ts";
import { RollbackManifestError } from "#/core/errors.ts";

function graph(needs: Readonly<Record<string, readonly string[]>>) {
  const text = JSON.stringify({
    components: Object.fromEntries(
      Object.entries(needs).map(([name, names]) => [name, { depends_on: names }]),
    ),
  });
  return graphOf(parseManifest(text, "/meta/manifests/components.yaml").components);
}

Deno.test("every component comes after all that it depends on", () => {
  const { order, level } = graph({ web: ["api", "ui"], api: ["db"], ui: [], db: [], docs: ["web", "api"] });
  assert.deepEqual(order, ["ui", "db", "api", "web", "docs"]);
  assert.deepEqual(Object.fromEntries(level), { ui: 0, db: 0, api: 1, web: 2, docs: 3 });
});

Deno.test("a circle is refused with its path", () => {
  const circle = (needs: Readonly<Record<string, readonly string[]>>, path: string) => {
    assert.throws(() => graph(needs), (error) => {
      assert.ok(error instanceof RollbackManifestError);
      assert.equal(error.message, `Components depend on each other in a circle: ${path}`);
      return true;
    });
  };
  circle({ a: ["a"] }, "a → a");
  circle({ first: [], before: ["a", "first"], a: ["first", "b"], b: ["c"], c: ["a"] }, "a → b → c → a");
  circle({ a: ["b"], b: ["a"], x: ["y"], y: ["x"] }, "a → b → a");
});

Deno.test("what needs what is known, near and far", () => {
  const it = graph({ web: ["api"], api: ["db"], db: [], other: [] });
  assert.deepEqual(dependentsOf(it, "db"), ["api", "web"]);
  assert.deepEqual(dependentsOf(it, "web"), []);
  assert.deepEqual(withNeeds(it, ["api"]), ["db", "api"]);
});

Deno.test("two hundred components on twenty levels, two thousand in a row", () => {
  const level = (n: number) => Math.floor(n / 10);
  const needs = Object.fromEntries(
    Array.from({ length: 200 }, (_, n) => [
      `c${n}`,
      level(n) === 0 ? [] : Array.from({ length: 10 }, (_, i) => `c${(level(n) - 1) * 10 + i}`),
    ]),
  );
  const { order, level: levels } = graph(needs);
  assert.equal(order.length, 200);
  for (const [name, n] of order.map((it) => [it, Number(it.slice(1))] as const)) {
    assert.equal(levels.get(name), level(n));
  }
  const row = graph(
    Object.fromEntries(Array.from({ length: 2000 }, (_, n) => [`c${n}`, n === 0 ? [] : [`c${n - 1}`]])),
  );
  assert.equal(row.order.at(-1), "c1999");
  assert.equal(dependentsOf(row, "c0").length, 1999);
});
