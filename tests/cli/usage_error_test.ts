/** Wrong usage: exit code 2, one sentence, what to do, no stack trace; the same as JSON. */
import assert from "node:assert/strict";
import { runCli } from "../support/cli.ts";
import { withTempDir } from "../support/temp.ts";

interface Wrong {
  readonly args: readonly string[];
  readonly message: string;
  /** With CWD for the working folder. */
  readonly hint: string;
}

const wrong: readonly Wrong[] = [
  { args: ["relase"], message: '"relase" is not a command', hint: "Did you mean `backout release`?" },
  {
    args: ["relase", "list"],
    message: '"relase" is not a command',
    hint: "Did you mean `backout release list`?",
  },
  {
    args: ["release", "rolback", "v1"],
    message: '"release rolback" is not a command',
    hint: "Did you mean `backout release rollback`?",
  },
  {
    args: ["restore", "v1"],
    message: '"restore" is not a command',
    hint: "Did you mean `backout release restore` or `backout snapshot restore`?",
  },
  {
    args: ["rollback", "v1"],
    message: '"rollback" is not a command',
    hint: "Did you mean `backout release rollback` or `backout channel rollback` or " +
      "`backout component rollback` or `backout changeset rollback` or " +
      "`backout service rollback`?",
  },
  {
    args: ["frobnicate"],
    message: '"frobnicate" is not a command',
    hint: "See `backout --help` for all commands.",
  },
  {
    args: ["channel", "frobnicate"],
    message: '"channel frobnicate" is not a command',
    hint: "See `backout channel --help` for all commands.",
  },
  { args: ["help", "statsu"], message: '"statsu" is not a command', hint: "Did you mean `backout status`?" },
  {
    args: ["--reason", "x", "release", "list"],
    message: '"x" is not a command, and --reason stands before it',
    hint: "Put --reason after the command: only global options may come first.",
  },
  {
    args: ["--frobnicate"],
    message: "Unknown option '--frobnicate'",
    hint: "See `backout --help`.",
  },
  {
    args: ["--no-color", "--version"],
    message: "--version prints the version only as the first word",
    hint: "Run `backout --version`, or `backout version` for more.",
  },
  {
    args: ["release", "rollback", "v1", "--forse"],
    message: "Unknown option '--forse'",
    hint: "Did you mean --force? See `backout release rollback --help`.",
  },
  {
    args: ["release", "rollback", "-rf", "-r"],
    message: "--repository needs a value",
    hint: "See `backout release rollback --help`.",
  },
  {
    args: ["release", "publish", "v1"],
    message: "Missing required argument 'dir'",
    hint: "See `backout release publish --help`.",
  },
  {
    args: ["release", "show", "v1", "v2"],
    message: "Too many arguments. Expected 1 argument but got 2: v1, v2",
    hint: "See `backout release show --help`.",
  },
  {
    args: ["release", "yank", "v1"],
    message: "--reason is needed",
    hint: "See `backout release yank --help`.",
  },
  {
    args: ["release", "mark", "v1", "ugly", "--reason", "x"],
    message: 'Cannot use "ugly" as verdict: choose good or bad',
    hint: "See `backout release mark --help`.",
  },
  {
    args: ["release", "rollback", "v1", "--type", "half"],
    message: 'Cannot use "half" as --type: choose full, artifacts_only or index_only',
    hint: "See `backout release rollback --help`.",
  },
  {
    args: ["-o", "yaml", "status"],
    message: 'Cannot use "yaml" as --output: choose text or json',
    hint: "See `backout status --help`.",
  },
  {
    args: ["status", "--lock-timeout", "30"],
    message: 'Cannot use "30" for --lock-timeout: it is not a duration',
    hint: "Write a number with its unit: 500ms, 30s, 10m, 12h, 90d, 2w.",
  },
  {
    args: ["status"],
    message: "No repository was given",
    hint: "Add -r FOLDER, set BACKOUT_REPOSITORY, or write `repository:` into backout.yaml.",
  },
  {
    args: ["release", "rollback", "-r", "x"],
    message: "No version was named to roll back",
    hint: "Give a version (`backout release list -r CWD/x` shows them), --to VERSION, or --to-last-good.",
  },
  {
    args: ["release", "rollback", "v1", "--version", "v2", "-r", "x"],
    message: "Two versions were named: v1, and v2 with --version",
    hint: "Give one of them.",
  },
  {
    args: ["release", "rollback", "v1", "--to", "v2", "-r", "x"],
    message: "A rollback takes one of a version, --to and --to-last-good; several were given",
    hint: "VERSION takes out that version; --to VERSION takes out everything newer than it; " +
      "--to-last-good what is newer than the last good version and marked bad.",
  },
  {
    args: ["release", "rollback", "v1", "--type", "full", "--rollback-type", "index_only", "-r", "x"],
    message: '--type and --rollback-type mean the same, but say "full" and "index_only"',
    hint: "Give one of them.",
  },
  {
    args: ["release", "rollback", "v1", "--force", "-r", "x"],
    message: "--force needs --reason: who reads the history wants to know why",
    hint: "Add --reason 'TEXT'.",
  },
  {
    args: ["release", "rollback", "v1", "--force", "--reason", " ", "-r", "x"],
    message: "--force needs --reason: who reads the history wants to know why",
    hint: "Add --reason 'TEXT'.",
  },
  {
    args: ["release", "rollback", "v1", "--sign-audit-log", "-r", "x"],
    message: "Signing the audit log needs a key, and none was given",
    hint: "Make one with `backout audit keygen --out key.pem`, then give --signing-key key.pem.",
  },
  {
    args: ["release", "rollback", "v1", "-r", "x", "--repository-path", "y"],
    message: '--repository says "x", the --repository-* flags say "y"',
    hint: "Give one of them.",
  },
  {
    args: ["release", "rollback", "v1", "--repository-type", "s3", "--repository-bucket", "b", "--offline"],
    message: 'Cannot use "s3://b" with --offline: it needs the network',
    hint: "Leave out --offline, or give a folder.",
  },
  {
    args: ["release", "restore", "-r", "x"],
    message: "Nothing was named to restore",
    hint: "Give a rollback id or a version (`backout backup list -r CWD/x` shows them), or --at TIME.",
  },
  {
    args: ["release", "restore", "v1", "--exact", "-r", "x"],
    message: "--exact goes with --at TIME",
    hint: "Add --at, or leave out --exact.",
  },
  {
    args: ["backup", "delete", "v1", "-r", "x"],
    message: "Deleting a backup for good needs a confirmation, and there is no terminal to ask on",
    hint: "Add --yes, or --dry-run to see what would happen.",
  },
  {
    args: ["release", "rollback", "--to", "v1", "-r", "x"],
    message: "Rolling back everything newer than v1 needs a confirmation, and there is no terminal to ask on",
    hint: "Add --yes, or --dry-run to see what would happen.",
  },
  {
    args: ["unlock", "--force", "-r", "x"],
    message: "Removing a lock by force needs a confirmation, and there is no terminal to ask on",
    hint: "Add --yes, or --dry-run to see what would happen.",
  },
  {
    args: ["history", "--limit", "none", "-r", "x"],
    message: 'Cannot use "none" for --limit: it is not a whole number from 1 on',
    hint: "",
  },
];

for (const { args, message, hint: pattern } of wrong) {
  Deno.test(`usage: ${args.join(" ")}`, async () => {
    await withTempDir(async (cwd) => {
      const hint = pattern.replaceAll("CWD", cwd);
      const text = await runCli(args, { cwd });
      assert.equal(text.stderr, `Error: ${message}\n${hint === "" ? "" : `  Hint: ${hint}\n`}`);
      assert.equal(text.stdout, "");
      assert.equal(text.code, 2);
      assert.deepEqual([...Deno.readDirSync(cwd)], [], "something was touched");
      if (args.includes("-o")) return;

      const json = await runCli(["--json", ...args], { cwd });
      assert.equal(json.code, 2);
      assert.deepEqual(JSON.parse(json.stdout), {
        error: { code: 2, kind: "usage", message, hint: hint === "" ? null : hint, context: {} },
      });
    });
  });
}

Deno.test("usage: JSON is asked for in any spelling", async () => {
  for (const spelling of [["--json"], ["-o", "json"], ["-ojson"], ["--output", "json"], ["--output=json"]]) {
    for (const args of [["relase", ...spelling], [...spelling, "relase"]]) {
      const { code, stdout } = await runCli(args);
      assert.equal(code, 2);
      assert.equal(JSON.parse(stdout).error.kind, "usage", args.join(" "));
    }
  }
});

Deno.test("usage: -v adds the stack, nothing else does", async () => {
  const plain = await runCli(["status", "-r", ""]);
  assert.doesNotMatch(plain.stderr, /^\s+at /m);
  const verbose = await runCli(["status", "-r", "", "-v"]);
  assert.match(verbose.stderr, /^\s+at /m);
});

Deno.test("usage: events and JSON cannot both go to standard output", async () => {
  const { code, stderr } = await runCli(["status", "-r", "x", "--json", "--events", "-"]);
  assert.equal(code, 2);
  assert.match(stderr, /--events - and JSON output would mix two documents/);
});

Deno.test("usage: paths of reports are checked before anything is touched", async () => {
  await withTempDir(async (cwd) => {
    Deno.writeTextFileSync(`${cwd}/file`, "mine\n");
    Deno.mkdirSync(`${cwd}/folder`);
    const refused: readonly (readonly [readonly string[], string])[] = [
      [["--json-report", "folder"], "it is a folder"],
      [["--text-report", "file/report.txt"], `${cwd}/file is a file, not a folder`],
      [["--output-dir", "file"], "it is a file"],
      [["--manifest-output-dir", "file/x"], `${cwd}/file is a file, not a folder`],
      [["--audit-output-dir", "file"], "it is a file"],
      [["--events", "folder"], "it is a folder"],
      [["--out", "folder"], "it is a folder"],
      [["--json-report", "r/index.json"], "it belongs to the repository itself"],
      [["--output-dir", "r/.backout/x"], "it belongs to the repository itself"],
      [["--json-report", "x", "--text-report", "./x"], "name the same file"],
    ];
    for (const [flags, problem] of refused) {
      const { code, stderr } = await runCli(["release", "rollback", "v1", "-r", "r", ...flags], { cwd });
      assert.equal(code, 2, `${flags.join(" ")}: ${stderr}`);
      assert.ok(stderr.includes(problem), `${flags.join(" ")}: ${stderr}`);
    }
    assert.deepEqual([...Deno.readDirSync(cwd)].map((entry) => entry.name).sort(), ["file", "folder"]);
    assert.equal(Deno.readTextFileSync(`${cwd}/file`), "mine\n");
  });
});
