/** Help pages, whole; `BACKOUT_UPDATE_GOLDEN=1` writes the golden files anew. */
import assert from "node:assert/strict";
import { groups, shownEntries } from "#/command/registry.ts";
import { VERSION } from "#/core/version.ts";
import { runCli } from "../support/cli.ts";

const folder = new URL("./golden/help/", import.meta.url);
const update = Deno.env.get("BACKOUT_UPDATE_GOLDEN") === "1";

async function assertGolden(name: string, args: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await runCli(args);
  const text = stdout.replace(`backout ${VERSION}:`, "backout <version>:");
  const file = new URL(`${name}.txt`, folder);
  if (update) {
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeTextFile(file, text);
  }
  assert.equal(stderr, "");
  assert.equal(code, 0);
  assert.equal(
    text,
    await Deno.readTextFile(file),
    `${name} differs; BACKOUT_UPDATE_GOLDEN=1 writes it anew`,
  );
}

Deno.test("help: backout alone prints the overview", () => assertGolden("overview", []));
Deno.test("help: --help prints the overview", () => assertGolden("overview", ["--help"]));
Deno.test("help: help prints the overview", () => assertGolden("overview", ["help"]));

for (const { name, fallback } of groups) {
  Deno.test(`help: ${name} --help lists its commands`, () => assertGolden(name, [name, "--help"]));
  Deno.test(`help: help ${name} lists its commands`, () => assertGolden(name, ["help", name]));
  if (fallback !== undefined) continue;
  Deno.test(`help: ${name} alone lists its commands`, () => assertGolden(name, [name]));
}

for (const { path } of shownEntries) {
  const words = path.join(" ");
  Deno.test(`help: ${words} --help`, () => assertGolden(path.join("_"), [...path, "--help"]));
  Deno.test(`help: help ${words}`, () => assertGolden(path.join("_"), ["help", ...path]));
}

for (const entry of shownEntries) {
  const words = `backout ${entry.path.join(" ")}`;
  Deno.test(`help: ${words} has examples of itself`, async () => {
    const { command } = await entry.load();
    const own = command.examples.filter((example) =>
      example.command.includes(words) || example.command.startsWith(`backout ${entry.path[0]} `)
    );
    assert.ok(own.length > 0, "no example shows the command");
    assert.equal(command.summary, entry.summary, "the registry and the command say different things");
  });
}

Deno.test("help: wins over what is missing", async () => {
  const { code, stdout } = await runCli(["release", "publish", "-h"]);
  assert.equal(code, 0);
  assert.match(stdout, /^Usage: backout release publish \[options\] <version> <dir>\n/);
});

Deno.test("version: only as the first word, and nothing else", async () => {
  assert.deepEqual(await runCli(["--version"]), { code: 0, stdout: `${VERSION}\n`, stderr: "" });
});

Deno.test("version: the command says what it runs on", async () => {
  const { code, stdout } = await runCli(["version", "--json"]);
  assert.equal(code, 0);
  const view = JSON.parse(stdout);
  assert.equal(view.version, VERSION);
  assert.deepEqual(Object.keys(view), ["version", "commit", "deno", "v8", "target"]);
});
