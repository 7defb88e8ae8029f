import assert from "node:assert/strict";
import { canonicalJson, formatJson, isJsonObject, parseJson } from "#/core/json.ts";

Deno.test("numbers that JavaScript would write differently are kept", () => {
  const numbers = [
    "1.0",
    "-0",
    "-0.0",
    "1e400",
    "1E5",
    "9223372036854775808",
    "0.10",
    "12345678901234567890.5",
  ];
  for (const number of numbers) {
    assert.equal(formatJson(parseJson(number)), number + "\n", "alone");
    assert.equal(canonicalJson(parseJson(`{"a":${number}}`)), `{"a":${number}}`);
    assert.equal(canonicalJson(parseJson(`[ ${number},\t${number}]`)), `[${number},${number}]`);
  }
});

Deno.test("numbers that JavaScript keeps are plain numbers", () => {
  for (const number of ["0", "1", "-2", "0.5", "123456789012345", "9007199254740991"]) {
    assert.equal(parseJson(number), Number(number));
  }
});

Deno.test("text that looks like a number stays text", () => {
  const value = { "1.0": " 1.0, -0 ", version: "12345678901234567890", x: 1 };
  assert.deepEqual(parseJson(JSON.stringify(value)), value);
});

Deno.test("a number kept as raw JSON is not an object", () => {
  assert.equal(isJsonObject(parseJson("1.0")), false);
  assert.equal(isJsonObject(parseJson("{}")), true);
  assert.equal(isJsonObject(Object.create(null)), true);
  for (const value of [null, [], 1, "x", undefined]) assert.equal(isJsonObject(value), false);
});

Deno.test("an own key __proto__ survives and changes no prototype", () => {
  for (const text of ['{"__proto__":{"polluted":true}}', '{"__proto__":{"polluted":1.0}}']) {
    const value = parseJson(text);
    assert.equal(canonicalJson(value), text);
    assert.equal((value as { polluted?: unknown }).polluted, undefined);
  }
});

Deno.test("what is not JSON is a SyntaxError, also where the stack would run out", () => {
  const deep = "[".repeat(200_000);
  for (const text of ["", "{", "[1.0", "{'a':1}", "01", "NaN", `[1.0,${deep}${"]".repeat(200_000)}]`]) {
    assert.throws(() => parseJson(text), SyntaxError);
  }
});

Deno.test("formatJson writes two spaces and one newline at the end", () => {
  assert.equal(formatJson({ b: [1], a: "é" }), '{\n  "b": [\n    1\n  ],\n  "a": "é"\n}\n');
});

Deno.test("canonicalJson sorts keys at every depth, and not lists", () => {
  assert.equal(
    canonicalJson({ b: 1, a: [{ d: 1, c: 2 }, 3, 1], B: null }),
    '{"B":null,"a":[{"c":2,"d":1},3,1],"b":1}',
  );
  const bare = Object.assign(Object.create(null), { b: 1, a: 2 });
  assert.equal(canonicalJson(bare), '{"a":2,"b":1}');
});
