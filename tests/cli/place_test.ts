/** What a message tells people to type works where they stand: it names the repository as they did. */
import assert from "node:assert/strict";
import { placeFlags, withPlace } from "#/command/place.ts";
import type { CommandContext } from "#/command/command.ts";
import { runCli } from "../support/cli.ts";
import { withTempDir } from "../support/temp.ts";

Deno.test("commands in a hint get the place, others do not", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["See `backout release list`.", "See `backout release list -r /r`."],
    ["Put it back with: backout release restore v1", "Put it back with: backout release restore v1 -r /r"],
    ["See `backout release show --help`.", "See `backout release show --help`."],
    [
      "Make one with `backout audit keygen --out key.pem`.",
      "Make one with `backout audit keygen --out key.pem`.",
    ],
    ["Run `backout recover -r /q`.", "Run `backout recover -r /q`."],
    ["reason: backout is fine\nand more\n", "reason: backout is fine\nand more\n"],
  ];
  for (const [text, placed] of cases) assert.equal(withPlace(text, "-r /r"), placed);
  assert.equal(withPlace("See `backout history`.", ""), "See `backout history`.");
});

Deno.test("only flags are repeated: the environment and the configuration speak for themselves", () => {
  const context = { globals: { stateDir: "s" } } as unknown as CommandContext;
  const none = { globals: {} } as unknown as CommandContext;
  const options = { repository: "/a b", stateDir: "/s" };
  assert.equal(placeFlags({ positionals: [], options: {} }, none, options), "");
  assert.equal(placeFlags({ positionals: [], options: { repositoryPath: "x" } }, none, options), "-r '/a b'");
  assert.equal(
    placeFlags({ positionals: [], options: { repository: "x" } }, context, options),
    "-r '/a b' --state-dir /s",
  );
});

Deno.test("the hint of a refused rollback can be pasted", async () => {
  await withTempDir(async (cwd) => {
    Deno.mkdirSync(`${cwd}/build`);
    Deno.writeTextFileSync(`${cwd}/build/app`, "app\n");
    for (const version of ["v1", "v2"]) {
      assert.equal(
        (await runCli(["release", "publish", version, "build", "-r", "my repo"], { cwd })).code,
        0,
      );
    }
    assert.equal((await runCli(["release", "rollback", "v2", "-r", "my repo"], { cwd })).code, 0);

    const again = await runCli(["release", "rollback", "v2", "-r", "my repo", "--json"], { cwd });
    assert.equal(again.code, 46);
    const hint = `Put it back with: backout release restore v2 -r '${cwd}/my repo'`;
    assert.equal(JSON.parse(again.stdout).error.hint, hint);

    const missing = await runCli(["release", "show", "v9", "-r", "my repo"], { cwd });
    assert.match(missing.stderr, /See `backout release list -r '.*my repo'`/);
  });
});

Deno.test("help and completions are documents too where JSON is asked for", async () => {
  for (const args of [[], ["help", "status"], ["release"], ["release", "rollback", "--help"]]) {
    const { code, stdout } = await runCli([...args, "--json"]);
    assert.equal(code, 0);
    assert.match(JSON.parse(stdout).help, /Usage: backout/);
  }
  const { stdout } = await runCli(["completions", "bash", "--json"]);
  assert.match(JSON.parse(stdout).script, /complete -F/);
});
