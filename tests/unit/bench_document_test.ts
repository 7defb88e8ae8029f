/** The page of benchmarks: one part that is measured again leaves the others as they are. */
import assert from "node:assert/strict";
import { withSection } from "../bench/document.ts";

const row = { what: "a", measured: "1 s", against: "", result: "", goal: "under 2 s", met: true };
const section = (name: string, title: string) => ({ name, title, subject: "it", load: 0, rows: [row] });

Deno.test("a section is added, then replaced in its place", () => {
  const one = withSection("", section("one", "First"));
  assert.match(one, /^# Benchmarks\n/);
  const both = withSection(one, section("two", "Second"));
  assert.ok(both.startsWith(one.trimEnd()));
  const again = withSection(both, { ...section("one", "First, again"), rows: [{ ...row, met: false }] });
  assert.deepEqual(again.match(/^## .*$/gm), ["## First, again", "## Second"]);
  assert.match(again, /1 of 1 goals missed/);
  assert.equal(withSection(again, section("one", "First")), both);
});

Deno.test("a busy machine is said to be one", () => {
  const text = withSection("", { ...section("one", "First"), load: 10_000 });
  assert.match(text, /The machine was busy with other work: a load of 10000\./);
});
