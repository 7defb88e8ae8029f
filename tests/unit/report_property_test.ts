import assert from "node:assert/strict";
import fc from "fast-check";
import "../support/property_seed.ts";
import { displayWidth, plainStyle, renderTable, truncate, visible } from "#/report/mod.ts";

const anyText = fc.string({ unit: "binary" });

Deno.test("visible text has no control character, and making it visible again changes nothing", () => {
  fc.assert(fc.property(anyText, (text) => {
    const shown = visible(text);
    // deno-lint-ignore no-control-regex -- control characters are what must not be there
    assert.doesNotMatch(shown, /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
    assert.equal(visible(shown), shown);
  }));
});

Deno.test("truncated text fits, and short text stays", () => {
  fc.assert(fc.property(anyText, fc.nat(40), (text, width) => {
    const cut = truncate(text, width);
    assert.ok(displayWidth(cut) <= width);
    if (displayWidth(text) <= width) assert.equal(cut, text);
  }));
});

Deno.test("a table has a line per row, each within the width where the columns can give way", () => {
  const row = fc.array(anyText, { minLength: 3, maxLength: 3 });
  fc.assert(
    fc.property(
      fc.array(row, { minLength: 1, maxLength: 10 }),
      fc.integer({ min: 30, max: 120 }),
      (rows, width) => {
        const lines = renderTable(rows, { style: plainStyle, width, keep: [] }).slice(0, -1).split("\n");
        assert.equal(lines.length, rows.length);
        for (const line of lines) assert.ok(displayWidth(line) <= width);
      },
    ),
  );
});
