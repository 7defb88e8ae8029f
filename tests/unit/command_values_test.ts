import assert from "node:assert/strict";
import { UsageError } from "#/core/errors.ts";
import { quoteCommand } from "#/command/shell_quote.ts";
import { editDistance, nearest } from "#/core/nearest.ts";
import { parseDuration, parseSize } from "#/command/values.ts";

Deno.test("durations: a number with its unit, or several", () => {
  const known = {
    "500ms": 500,
    "30s": 30_000,
    "1.5h": 5_400_000,
    "1h30m": 5_400_000,
    "90d": 7_776_000_000,
    "0s": 0,
  };
  for (const [text, milliseconds] of Object.entries(known)) {
    assert.equal(parseDuration(text, "--timeout"), milliseconds, text);
  }
});

Deno.test("durations: without a unit, with a sign or with rubbish they are refused", () => {
  for (const text of ["", "30", "-5s", "5 s", "s", "5y", "5sx", "x5s", "1e3s", "99999999999999999999d"]) {
    assert.throws(() => parseDuration(text, "--timeout"), UsageError, text);
  }
});

Deno.test("sizes: decimal and binary units", () => {
  const known = {
    "0": 0,
    "4096": 4096,
    "500MB": 500e6,
    "20GiB": 20 * 1024 ** 3,
    "1.5k": 1536,
    "2 TiB": 2 * 1024 ** 4,
  };
  for (const [text, bytes] of Object.entries(known)) assert.equal(parseSize(text, "--max-size"), bytes, text);
  for (const text of ["", "-1", "GiB", "1XB", "1GiBs", "99999999TiB"]) {
    assert.throws(() => parseSize(text, "--max-size"), UsageError, text);
  }
});

Deno.test("did you mean: neighbours swapped are one error, far words are no suggestion", () => {
  assert.equal(editDistance("relaese", "release"), 1);
  assert.equal(editDistance("", "abc"), 3);
  assert.equal(nearest("rolback", ["rollback", "restore"]), "rollback");
  assert.equal(nearest("xyz", ["rollback", "restore"]), undefined);
});

Deno.test("command lines: a shell reads back the words that were given", async () => {
  const words = ["a b", "it's", "$HOME", "`x`", "", "plain-1.0_~", "*", 'say "x"', "new\nline"];
  const script = `printf '%s\\0' ${quoteCommand(words)}`;
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script] }).output();
  assert.deepEqual(new TextDecoder().decode(stdout).split("\0").slice(0, -1), words);
});
