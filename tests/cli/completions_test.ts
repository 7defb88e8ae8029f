/** The completions, as the shells that are here understand them. */
import assert from "node:assert/strict";
import { runCli } from "../support/cli.ts";
import { withTempDir } from "../support/temp.ts";

/** What bash offers for the last of these words. */
async function complete(...words: readonly string[]): Promise<readonly string[]> {
  const { code, stdout } = await runCli(["completions", "bash"]);
  assert.equal(code, 0);
  return await withTempDir(async (cwd) => {
    Deno.writeTextFileSync(`${cwd}/script`, stdout);
    Deno.mkdirSync(`${cwd}/a folder`);
    Deno.writeTextFileSync(`${cwd}/a file`, "");
    const ask = `source ./script; rm script; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _backout; ` +
      `printf '%s\\n' "\${COMPREPLY[@]}"`;
    const command = new Deno.Command("bash", { args: ["-c", ask, "bash", ...words], cwd });
    const output = await command.output();
    assert.equal(new TextDecoder().decode(output.stderr), "");
    return new TextDecoder().decode(output.stdout).split("\n").filter((line) => line !== "");
  });
}

const expected: readonly (readonly [words: readonly string[], offers: readonly string[]])[] = [
  [["backout", "re"], ["release", "retention", "recover"]],
  [["backout", "release", "r"], ["rollback", "restore"]],
  [["backout", "-r", "/srv", "--json", "release", "ya"], ["yank"]],
  [["backout", "release", "rollback", "--ty"], ["--type"]],
  [["backout", "release", "rollback", "--type", ""], ["full", "artifacts_only", "index_only"]],
  [["backout", "audit", "keygen", "--type", ""], ["ed25519", "rsa"]],
  [["backout", "release", "mark", "v1", ""], ["good", "bad"]],
  [["backout", "--output", ""], ["text", "json"]],
  [["backout", "history", "--lim"], ["--limit"]],
  [["backout", "completions", ""], ["bash", "zsh", "fish"]],
  [["backout", "release", "list", "-r", "a"], ["a folder"]],
  [["backout", "release", "apply", "a"], ["a file", "a folder"]],
  [["backout", "release", "rollback", "--reason", ""], []],
];

for (const [words, offers] of expected) {
  Deno.test(`completions: ${words.join(" ")}|`, async () => {
    assert.deepEqual([...await complete(...words)].sort(), [...offers].sort());
  });
}

Deno.test("completions: zsh and fish name every command and option", async () => {
  const { shownEntries } = await import("#/command/registry.ts");
  for (const shell of ["zsh", "fish"]) {
    const { code, stdout } = await runCli(["completions", shell]);
    assert.equal(code, 0);
    for (const { path } of shownEntries) {
      assert.ok(stdout.includes(`'${path.join(" ")}'`), `${shell}: ${path}`);
    }
    for (const flag of ["verify-backup", "channel-to", "read-data", "lock-timeout"]) {
      assert.ok(stdout.includes(flag), `${shell}: ${flag}`);
    }
  }
});

Deno.test("completions: another shell is wrong usage", async () => {
  const { code, stderr } = await runCli(["completions", "tcsh"]);
  assert.equal(code, 2);
  assert.match(stderr, /choose bash, zsh or fish/);
});
