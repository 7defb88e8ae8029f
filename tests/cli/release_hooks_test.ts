/** Hooks that a release brings along: they run only where a trusted key signed its record. */
import assert from "node:assert/strict";
import { configure, linesOf } from "../support/around.ts";
import { type Document, type TestRepository, testRepository } from "../support/repository.ts";
import { requires } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";

interface World extends TestRepository {
  readonly told: () => readonly string[];
  /** Writes backout.yaml, with hooks of its own around rollbacks. */
  readonly trust: (...keys: readonly string[]) => void;
}

const ROLLBACK = ["release", "rollback", "v1.0.1", "--reason", "broken"] as const;

/** v1.0.0, and v1.0.1 with hooks, signed by `ours.pem`; `others.pem` is another key. */
function releaseHooksTest(name: string, body: (world: World) => Promise<void>): void {
  const requirement = requires("posix");
  Deno.test({
    name: `hooks of a release: ${name}${requirement.suffix}`,
    ignore: requirement.ignore,
    fn: async () => {
      requirement.assertPresent();
      await withTempDir(async (cwd) => {
        const log = `${cwd}/told`;
        const note = (who: string) => [
          "/bin/sh",
          "-c",
          `echo "${who} $BACKOUT_PHASE $BACKOUT_OPERATION $BACKOUT_VERSION" >> ${log}`,
        ];
        const repository = testRepository(cwd);
        for (const key of ["ours", "others"]) {
          await repository.run(["audit", "keygen", "--out", `${key}.pem`], { cwd });
        }
        Deno.writeTextFileSync(
          `${cwd}/hooks.json`,
          JSON.stringify({
            rollback: { before: [note("release")], after: [{ command: note("release"), timeout: "5s" }] },
            restore: { after: [note("release")] },
          }),
        );
        await repository.publish("v1.0.0");
        await repository.publish(
          "v1.0.1",
          "--hooks",
          "hooks.json",
          "--sign-audit-log",
          "--signing-key",
          "ours.pem",
        );
        await body({
          ...repository,
          told: () => linesOf(log),
          trust: (...keys) =>
            configure(cwd, {
              trusted_keys: keys,
              hooks: { rollback: { before: [note("config")], after: [note("config")] } },
            }),
        });
      });
    },
  });
}

releaseHooksTest("they run inside those of the configuration, also when it comes back", async (world) => {
  const { json, told, trust } = world;
  trust("ours.pem.pub");
  const dry = await json(0, ...ROLLBACK, "--dry-run");
  assert.deepEqual(warnings(dry), [
    "A real run runs /bin/sh, /bin/sh before it",
    "A real run runs /bin/sh, /bin/sh after it",
  ]);
  assert.deepEqual(told(), []);
  assert.deepEqual(warnings(await json(0, ...ROLLBACK)), []);
  assert.deepEqual((await json(0, "release", "restore", "v1.0.1")).warnings, []);
  assert.deepEqual(told(), [
    "config before rollback v1.0.1",
    "release before rollback v1.0.1",
    "release after rollback v1.0.1",
    "config after rollback v1.0.1",
    "release after restore v1.0.1",
  ]);
  assert.deepEqual((await json(0, "audit", "verify")).problems, []);
});

releaseHooksTest("without a trusted key they do not run, and that is said", async ({ cwd, json, told }) => {
  configure(cwd, {});
  const report = await json(0, ...ROLLBACK);
  assert.deepEqual(warnings(report), [
    "The hooks that v1.0.1 brings along do not run: backout.yaml names no trusted_keys",
  ]);
  assert.deepEqual(told(), []);
});

releaseHooksTest("signed by another key they do not run", async ({ json, told, trust }) => {
  trust("others.pem.pub");
  assert.deepEqual(warnings(await json(0, ...ROLLBACK)), [
    "The hooks that v1.0.1 brings along do not run: no trusted key has signed its record",
  ]);
  assert.deepEqual(told(), ["config before rollback v1.0.1", "config after rollback v1.0.1"]);
});

releaseHooksTest("with a record that was changed they do not run", async (world) => {
  const { json, told, trust, path } = world;
  trust("ours.pem.pub");
  const record = `${path}/.backout/releases/v1.0.1.json`;
  Deno.writeTextFileSync(record, Deno.readTextFileSync(record).replace("echo", "ECHO"));
  assert.deepEqual(
    warnings(await json(0, ...ROLLBACK, "--policy", "lenient")),
    ["The hooks that v1.0.1 brings along do not run: the signature of its record is not valid"],
  );
  assert.deepEqual(told(), ["config before rollback v1.0.1", "config after rollback v1.0.1"]);
});

releaseHooksTest("a signed record of another version does not lend its hooks", async (world) => {
  const { json, told, trust, path } = world;
  trust("ours.pem.pub");
  for (const folder of ["releases", "release-signatures"]) {
    Deno.copyFileSync(`${path}/.backout/${folder}/v1.0.1.json`, `${path}/.backout/${folder}/v1.0.0.json`);
  }
  const report = await json(0, "release", "rollback", "v1.0.0", "--reason", "old", "--policy", "lenient");
  assert.deepEqual(warnings(report), [
    "The hooks that v1.0.0 brings along do not run: its record does not hold them in a form known here",
  ]);
  assert.deepEqual(told().filter((line) => line.startsWith("release")), []);
});

releaseHooksTest("publishing them needs a signature, and a file that says what it must", async (world) => {
  const { cli, cwd, source } = world;
  const publish = ["release", "publish", "v1.0.2", source("v1.0.2")];
  const unsigned = await cli(...publish, "--hooks", "hooks.json");
  assert.equal(unsigned.code, 2);
  assert.match(unsigned.stderr, /has to be signed/);
  Deno.writeTextFileSync(
    `${cwd}/bad.yaml`,
    "rollback:\n  before: [[./drain.sh]]\n  befor: []\npublish: {after: [[true]]}\n",
  );
  const bad = await cli(...publish, "--hooks", "bad.yaml", "--sign-audit-log", "--signing-key", "ours.pem");
  assert.equal(bad.code, 2);
  assert.match(
    bad.stderr,
    /bad\.yaml:2:13: rollback\.before\.0\.0 must be a program on the PATH or an absolute path/,
  );
  assert.match(bad.stderr, /bad\.yaml:3:3: "befor" is not a known key in rollback/);
  assert.match(bad.stderr, /bad\.yaml:4:1: "publish" is not a known key/);
});

releaseHooksTest("a trusted key that cannot be read stops before anything is touched", async (world) => {
  const { cli, trust, told, versions } = world;
  trust("missing.pub");
  const result = await cli(...ROLLBACK);
  assert.equal(result.code, 2, result.stdout);
  assert.match(result.stderr, /Cannot read the trusted key .*missing\.pub/);
  assert.deepEqual(told(), []);
  assert.deepEqual(versions(), ["v1.0.1", "v1.0.0"]);
});

/** The warnings that the policy has nothing to do with. */
function warnings({ warnings }: Document): readonly string[] {
  return warnings.filter((text: string) => /hooks|real run/.test(text));
}
