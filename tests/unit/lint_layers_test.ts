import assert from "node:assert/strict";
import plugin, { importProblem } from "../../scripts/lint_layers.ts";

function messages(file: string, source: string): readonly string[] {
  return Deno.lint.runPlugin(plugin, `/checkout/${file}`, source).map((it) => it.message);
}

Deno.test("lint: imports point one way", () => {
  assert.equal(importProblem("repository/index_file.ts", "#/core/json.ts", false), undefined);
  assert.equal(importProblem("core/json.ts", "./errors.ts", false), undefined);
  assert.match(
    importProblem("core/json.ts", "#/storage/lock.ts", false) ?? "",
    /core must not import storage/,
  );
  assert.match(
    importProblem("policy/rule.ts", "#/operation/run.ts", false) ?? "",
    /policy must not import operation/,
  );
  assert.match(importProblem("storage/local.ts", "../core/json.ts", false) ?? "", /"#\/core\/json.ts"/);
  assert.match(importProblem("nowhere/x.ts", "#/core/json.ts", false) ?? "", /not a layer/);
});

Deno.test("lint: rollback points stand on stores, targets and checks; the configuration knows all of these", () => {
  for (
    const [from, to] of [["snapshot", "store"], ["snapshot", "config"], ["config", "target"], [
      "config",
      "verify",
    ], ["verify", "target"]]
  ) {
    assert.equal(importProblem(`${from}/a.ts`, `#/${to}/b.ts`, false), undefined);
    assert.match(
      importProblem(`${to}/a.ts`, `#/${from}/b.ts`, false) ?? "",
      new RegExp(`${to} must not import ${from}`),
    );
  }
});

Deno.test("lint: vocabulary types are for every layer, their values are not", () => {
  assert.equal(importProblem("storage/local.ts", "#/repository/index_format.ts", true), undefined);
  assert.match(
    importProblem("storage/local.ts", "#/repository/index_format.ts", false) ?? "",
    /must not import/,
  );
});

Deno.test("lint: commands go through the library", () => {
  assert.equal(importProblem("command/release.ts", "#/mod.ts", false), undefined);
  assert.match(
    importProblem("command/release.ts", "#/operation/run.ts", false) ?? "",
    /command must not import/,
  );
});

Deno.test("lint: an import in the source is reported, also a dynamic one", () => {
  assert.deepEqual(messages("src/core/a.ts", 'import { x } from "#/report/x.ts"; x();'), [
    "core must not import report; it may import nothing.",
  ]);
  assert.equal(messages("src/core/a.ts", 'await import("#/report/x.ts");').length, 1);
  assert.deepEqual(messages("src/storage/a.ts", 'import type { A } from "#/report/model.ts"; let a: A;'), []);
  assert.deepEqual(messages("tests/unit/a_test.ts", 'import { x } from "#/report/x.ts"; x();'), []);
});

Deno.test("lint: src does not print, exit, or change files behind the fault points", () => {
  assert.equal(messages("src/core/a.ts", 'console.log("x")').length, 1);
  assert.equal(messages("src/core/a.ts", "Deno.exit(1)").length, 1);
  assert.equal(messages("main.ts", "Deno.exit(1)").length, 0);
  assert.equal(messages("src/core/a.ts", 'Deno.removeSync("x")').length, 1);
  assert.equal(messages("src/core/a.ts", 'import { rmSync } from "node:fs"; rmSync("x")').length, 1);
  assert.equal(messages("src/core/posix.ts", 'Deno.removeSync("x")').length, 0);
  assert.equal(messages("src/core/a.ts", 'Deno.readFileSync("x")').length, 0);
});

Deno.test("lint: a file that is too long is refused", () => {
  assert.equal(messages("src/core/a.ts", "// line\n".repeat(320)).length, 0);
  assert.equal(messages("src/core/a.ts", "// line\n".repeat(321)).length, 1);
});
