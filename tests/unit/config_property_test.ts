import assert from "node:assert/strict";
import fc from "fast-check";
import "../support/property_seed.ts";
import { UsageError } from "#/core/errors.ts";
import { parseConfig } from "#/config/parse.ts";

const env = (name: string) => name === "HOME" ? "/home/me" : undefined;

/** Text that is nearly a configuration. */
const nearly = fc.array(
  fc.constantFrom(
    ...[
      "version: 1\n",
      "version:",
      "repository: ",
      "policy:\n",
      "  mode: strict\n",
      "audit: {",
      "}",
      "sign: true",
    ],
    ...[
      "${HOME}",
      "${",
      "$${X}",
      "&a ",
      "*a",
      "[",
      "]",
      "- ",
      "\t",
      "\n",
      "---\n",
      "...\n",
      '"',
      "'",
      "#",
      "? ",
      ": ",
    ],
    ...["!!js ", "__proto__: 1\n", "<<: *a\n", "\u0000", "\ud800", "日本", "% TAG", "|\n", ">\n"],
  ),
  { maxLength: 12 },
).map((parts) => parts.join(""));

Deno.test("whatever the file says, it is a configuration or a UsageError with a line and a column", async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(nearly, fc.string({ unit: "binary" })), async (text) => {
      try {
        assert.equal((await parseConfig({ path: "/x/backout.yaml", text, env })).version, 1);
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        assert.match(error.message, /^\/x\/backout\.yaml:[1-9]\d*:[1-9]\d*: \S/);
      }
    }),
    { numRuns: 2000 },
  );
});
