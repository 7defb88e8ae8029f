/**
 * The compiled executable named by BACKOUT_BIN, alone: in an empty folder, with no Deno, no cache, no home, no network.
 * Without BACKOUT_BIN these tests are left out; `deno task test:binary` runs them.
 */
import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { type Capability, requires, UNSHARE_NET } from "../support/require.ts";
import { tempDir } from "../support/temp.ts";
import { writeTarsRepository } from "../support/tars.ts";
import { answer, receiver } from "../unit/notify_support.ts";

const binary = Deno.env.get("BACKOUT_BIN");

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Box {
  readonly folder: string;
  readonly repository: string;
  readonly executable: string;
  /** Runs the executable inside of `wrapper` (a command and its flags). */
  readonly run: (argv: readonly string[], wrapper?: readonly string[]) => Outcome;
}

const OFFLINE = ["unshare", ...UNSHARE_NET, "--"];

binaryTest("says its version", ({ run }) => {
  const version = run(["--version"]);
  assert.equal(version.code, 0, version.stderr);
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
});

binaryTest("publishes, rolls back, restores and audits without a network", (box) => {
  const { run, repository } = box;
  publishThree(box, OFFLINE);

  const dry = json(
    run(["release", "rollback", "v1.0.2", "--dry-run", "-r", repository, "--json"], OFFLINE),
    0,
  );
  assert.equal(dry.status, "dry_run");
  assert.deepEqual(versions(repository), ["v1.0.2", "v1.0.1", "v1.0.0"]);

  const back = json(
    run(["release", "rollback", "v1.0.2", "--reason", "broken", "-r", repository, "--json"], OFFLINE),
    0,
  );
  assert.equal(back.status, "success");
  assert.equal(back.total_artifacts_removed, 2);
  assert.deepEqual(versions(repository), ["v1.0.1", "v1.0.0"]);

  const again = json(run(["release", "rollback", "v1.0.2", "-r", repository, "--json"], OFFLINE), 46);
  assert.equal(again.exit_code, 46);

  const restored = json(run(["release", "restore", "v1.0.2", "-r", repository, "--json"], OFFLINE), 0);
  assert.equal(restored.status, "success");
  assert.deepEqual(versions(repository), ["v1.0.2", "v1.0.1", "v1.0.0"]);
  assert.equal(Deno.readTextFileSync(`${repository}/v1.0.2/app.txt`), "app v1.0.2\n");

  const audit = json(run(["audit", "verify", "-r", repository, "--json"], OFFLINE), 0);
  assert.deepEqual(audit.problems, []);
  const releases = json(run(["release", "verify", "-r", repository, "--json"], OFFLINE), 0);
  assert.deepEqual(releases.problems, []);
});

binaryTest("signs the audit log with a key it made", (box) => {
  const { run, repository, folder } = box;
  publishThree(box, OFFLINE);
  const key = json(run(["audit", "keygen", "--out", `${folder}/key.pem`, "--json"], OFFLINE), 0);
  json(
    run(
      [
        ...["release", "rollback", "v1.0.2", "--sign-audit-log", "--signing-key", `${folder}/key.pem`],
        ...["--output-dir", `${folder}/out`, "-r", repository, "--json"],
      ],
      OFFLINE,
    ),
    0,
  );
  const names = [...Deno.readDirSync(`${folder}/out`)].map((it) => it.name).sort();
  assert.deepEqual(names, [
    "v1.0.2.rollback-audit.json",
    "v1.0.2.rollback-audit.sig",
    "v1.0.2.rollback-manifest.json",
  ]);
  const audit = json(
    run(["audit", "verify", "-r", repository, "--public-key", String(key.public_key), "--json"], OFFLINE),
    0,
  );
  assert.equal(audit.signed, 1);
});

binaryTest("takes over a repository of T.A.R.S.", ({ run, repository }) => {
  writeTarsRepository(repository);
  const back = json(run(["release", "rollback", "v1.0.2", "-r", repository, "--json"], OFFLINE), 0);
  assert.equal(back.total_artifacts_removed, 3);
  assert.deepEqual(versions(repository), ["v1.0.1", "v1.0.0"]);
});

binaryTest("answers wrong input with the contract's codes", (box) => {
  const { run, repository } = box;
  publishThree(box);
  json(run(["release", "rollback", "v9.9.9", "-r", repository, "--json"]), 40);
  json(run(["release", "rollback", "../x", "-r", repository, "--json"]), 2);
  const text = run(["release", "rolback"]);
  assert.equal(text.code, 2);
  assert.match(text.stderr, /rollback/);
  assert.doesNotMatch(text.stderr, /\bat .*:\d+:\d+/, "no stack trace for people");
});

binaryTest("recovers after SIGKILL, whoever held the lock is dead", (box) => {
  const { run, repository } = box;
  publishThree(box);
  // The timing is arbitrary: wherever the kill lands, the next command must put things right.
  for (const milliseconds of [60, 80, 100, 120, 150, 200]) {
    run(
      ["release", "rollback", "v1.0.2", "-r", repository],
      ["timeout", "-s", "KILL", `${milliseconds / 1000}`],
    );
    const recovered = run(["recover", "-r", repository, "--json"]);
    assert.equal(recovered.code, 0, recovered.stdout + recovered.stderr);
    if (!versions(repository).includes("v1.0.2")) {
      json(run(["release", "restore", "v1.0.2", "-r", repository, "--json"]), 0);
    }
    assert.deepEqual(versions(repository), ["v1.0.2", "v1.0.1", "v1.0.0"]);
  }
  assert.deepEqual(json(run(["audit", "verify", "-r", repository, "--json"]), 0).problems, []);
});

binaryTest("never asks for a permission, also on a terminal", (box) => {
  publishThree(box);
  const { executable, repository, folder } = box;
  const command = `${executable} release rollback v1.0.2 --reason broken --no-progress -r ${repository}`;
  const result = box.run([], [...OFFLINE, "script", "-qec", command, `${folder}/typescript`]);
  const seen = Deno.readTextFileSync(`${folder}/typescript`) + result.stdout;
  assert.equal(result.code, 0, seen);
  assert.doesNotMatch(seen, /permission|Allow\?|Deno requests/i);
  assert.deepEqual(versions(repository), ["v1.0.1", "v1.0.0"]);
}, ["pty"]);

binaryTest("opens no network socket", (box) => {
  publishThree(box);
  const trace = `${box.folder}/trace`;
  const wrapper = ["strace", "-f", "-qq", "-e", "trace=socket,connect", "-o", trace, "--"];
  json(box.run(["release", "rollback", "v1.0.2", "-r", box.repository, "--json"], wrapper), 0);
  const calls = Deno.readTextFileSync(trace).split("\n").filter((line) => /AF_INET|AF_NETLINK/.test(line));
  assert.deepEqual(calls, []);
}, ["strace"]);

binaryTest("runs hooks where the configuration names them, in an environment of their own", (box) => {
  publishThree(box);
  const { folder, repository } = box;
  const config = `${folder}/backout.yaml`;
  const note = `env | cut -d= -f1 | sort | tr '\\n' ' ' > ${folder}/$BACKOUT_PHASE`;
  const hooks = { rollback: { before: [["/bin/sh", "-c", note]], after: [["/bin/sh", "-c", note]] } };
  Deno.writeTextFileSync(config, JSON.stringify({ version: 1, hooks }));
  const rollback = ["release", "rollback", "v1.0.2", "--reason", "x", "-r", repository, "--json"];
  const report = json(box.run([...rollback, "--config", config], OFFLINE), 0);
  assert.deepEqual(report.warnings, ["latest-release: v1.0.2 is the newest release"]);
  for (const phase of ["before", "after"]) {
    const names = Deno.readTextFileSync(`${folder}/${phase}`).split(" ").filter((it) => it !== "");
    const others = names.filter((it) => !it.startsWith("BACKOUT_") && !/^(_|PWD|SHLVL|OLDPWD)$/.test(it));
    assert.deepEqual(others, ["HOME", "LANG", "PATH"]);
  }
});

binaryTest("cannot start a program without a configuration that names one", (box) => {
  publishThree(box);
  const trace = `${box.folder}/trace`;
  const wrapper = ["strace", "-f", "-qq", "-e", "trace=execve", "-o", trace, "--"];
  json(box.run(["release", "rollback", "v1.0.2", "-r", box.repository, "--json"], wrapper), 0);
  const calls = Deno.readTextFileSync(trace).split("\n").filter((line) => line.includes("execve("));
  assert.equal(calls.length, 1, "it started something besides itself");
}, ["strace"]);

binaryTest("sends to a webhook of the configuration, and writes the summary of a step", async (box) => {
  publishThree(box);
  const { folder, repository } = box;
  await using server = receiver(answer(200));
  const config = `${folder}/backout.yaml`;
  Deno.writeTextFileSync(config, JSON.stringify({ version: 1, notify: [{ webhook: server.url }] }));
  const summary = `${folder}/summary.md`;
  const child = new Deno.Command(box.executable, {
    args: ["release", "yank", "v1.0.0", "--reason", "x", "-r", repository, "--config", config, "--json"],
    clearEnv: true,
    env: { HOME: folder, PATH: "/usr/bin:/bin", GITHUB_STEP_SUMMARY: summary },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { code, stdout } = await child.output();
  const report = JSON.parse(new TextDecoder().decode(stdout));
  assert.deepEqual([code, report.warnings], [0, []]);
  assert.deepEqual(server.received.map((it) => JSON.parse(it.body).type), ["backout.yank.success"]);
  assert.match(Deno.readTextFileSync(summary), /^### Yank of v1\.0\.0: done$/m);
});

function binaryTest(
  name: string,
  body: (box: Box) => void | Promise<void>,
  capabilities: readonly Capability[] = [],
): void {
  const requirement = requires("unshare-net", ...capabilities);
  const left = binary === undefined ? " [runs with BACKOUT_BIN]" : requirement.suffix;
  const ignore = binary === undefined || requirement.ignore;
  Deno.test({
    name: `binary: ${name}${ignore ? left : ""}`,
    ignore,
    fn: async () => {
      requirement.assertPresent();
      await using temp = tempDir("backout-binary-");
      await body(makeBox(temp.path));
    },
  });
}

function makeBox(folder: string): Box {
  const home = join(folder, "home");
  const empty = join(folder, "empty");
  for (const it of [home, empty]) Deno.mkdirSync(it);
  const executable = resolve(binary!);
  return {
    folder,
    repository: join(folder, "repository"),
    executable,
    run: (argv, wrapper = []) => {
      const [program, ...args] = [...wrapper, ...(argv.length > 0 ? [executable, ...argv] : [])];
      const result = new Deno.Command(program!, {
        args,
        cwd: empty,
        clearEnv: true,
        env: { HOME: home, PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
        stdin: "null",
      }).outputSync();
      return {
        code: result.code,
        stdout: new TextDecoder().decode(result.stdout),
        stderr: new TextDecoder().decode(result.stderr),
      };
    },
  };
}

function publishThree({ run, folder, repository }: Box, wrapper: readonly string[] = []): void {
  for (const version of ["v1.0.0", "v1.0.1", "v1.0.2"]) {
    const source = `${folder}/${version}`;
    Deno.mkdirSync(source);
    Deno.writeTextFileSync(`${source}/app.txt`, `app ${version}\n`);
    Deno.writeTextFileSync(`${source}/README.md`, `# ${version}\n`);
    const argv = ["release", "publish", version, source, "--channel", "stable", "-r", repository, "--json"];
    json(run(argv, wrapper), 0);
  }
}

/** The one JSON document on standard output, after the exit code was what it should be. */
function json(outcome: Outcome, code: number): Record<string, unknown> {
  assert.equal(outcome.code, code, `exit ${outcome.code}: ${outcome.stdout}${outcome.stderr}`);
  return JSON.parse(outcome.stdout);
}

function versions(repository: string): readonly string[] {
  const index = JSON.parse(Deno.readTextFileSync(`${repository}/index.json`));
  return index.releases.map((it: { version: string }) => it.version);
}
