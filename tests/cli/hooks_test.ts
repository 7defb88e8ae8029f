/** Programs around operations: when they run, what they are told, and what their failure means. */
import assert from "node:assert/strict";
import { binary, programCommand, runInProcess, runProgram } from "../support/cli.ts";
import { configure, killAfterCommit, linesOf, noting } from "../support/around.ts";
import { type TestRepository, testRepository } from "../support/repository.ts";
import { requires } from "../support/require.ts";
import { withTempDir } from "../support/temp.ts";
import { readTree } from "../support/tree.ts";

interface World extends TestRepository {
  readonly log: string;
  readonly told: () => readonly string[];
}

/** A repository with three versions, and a file that hooks write to. */
function hookTest(name: string, body: (world: World) => Promise<void>): void {
  const requirement = requires("posix");
  Deno.test({
    name: `hooks: ${name}${requirement.suffix}`,
    ignore: requirement.ignore,
    fn: async () => {
      requirement.assertPresent();
      await withTempDir(async (cwd) => {
        const repository = testRepository(cwd);
        await repository.publish("v1.0.0");
        await repository.publish("v1.0.1");
        await repository.publish("v1.0.2");
        const log = `${cwd}/told`;
        await body({ ...repository, log, told: () => linesOf(log) });
      });
    },
  });
}

const ROLLBACK = ["release", "rollback", "v1.0.1", "--reason", "broken"];

hookTest(
  "those before and after run in order, with the facts, in the configuration's folder",
  async (world) => {
    const { cwd, log, json, told } = world;
    const second = ["/bin/sh", "-c", 'echo "second, $BACKOUT_REASON, $(pwd), $BACKOUT_REPOSITORY" >> told'];
    configure(cwd, {
      hooks: {
        rollback: { before: [noting(log), { command: second, timeout: "5m" }], after: [noting(log)] },
        publish: { before: [noting(log)] },
      },
    });
    Deno.mkdirSync(`${cwd}/below`);
    const { code, stdout, stderr } = await world.run([...ROLLBACK, "-r", world.path, "--json"], {
      cwd: `${cwd}/below`,
    });
    assert.equal(code, 0, stderr);
    assert.deepEqual(JSON.parse(stdout).warnings, []);
    assert.deepEqual(told(), [
      "before|rollback|v1.0.1||",
      `second, broken, ${cwd}, ${world.path}`,
      "after|rollback|v1.0.1|success|0",
    ]);
    assert.deepEqual((await json(0, "audit", "verify")).problems, []);
  },
);

hookTest("a program with a slash is looked for beside the configuration", async ({ cwd, json, told }) => {
  Deno.writeTextFileSync(`${cwd}/hook.sh`, "#!/bin/sh\necho here >> told\n", { mode: 0o755 });
  configure(cwd, { hooks: { rollback: { before: [["./hook.sh"]] } } });
  await json(0, ...ROLLBACK);
  assert.deepEqual(told(), ["here"]);
});

hookTest("one before that fails stops with 41, nothing is changed, those after run", async (world) => {
  const { cwd, path, log, json, told, versions } = world;
  configure(cwd, {
    hooks: {
      rollback: {
        before: [
          noting(log),
          ["/bin/sh", "-c", "echo cannot drain >&2; exit 3", "secret-argument"],
          noting(log),
        ],
        after: [noting(log)],
      },
    },
  });
  const index = Deno.readTextFileSync(`${path}/index.json`);
  const files = readTree(`${path}/v1.0.1`);
  const report = await json(41, ...ROLLBACK);
  assert.equal(report.error.kind, "policy_violation");
  assert.match(
    report.error.message,
    /The hook \/bin\/sh before the rollback failed with exit code 3: cannot drain/,
  );
  assert.doesNotMatch(JSON.stringify(report), /secret-argument/);
  assert.equal(Deno.readTextFileSync(`${path}/index.json`), index);
  assert.deepEqual(readTree(`${path}/v1.0.1`), files);
  assert.deepEqual(versions(), ["v1.0.2", "v1.0.1", "v1.0.0"]);
  assert.deepEqual(told(), ["before|rollback|v1.0.1||", "after|rollback|v1.0.1|failed|41"]);
  const [last] = await json(0, "history", "list");
  assert.deepEqual([last.exit_code, last.status], [41, "failed"], "a refusal is recorded");
  assert.deepEqual((await json(0, "audit", "verify")).problems, []);
});

hookTest("one after that fails is a warning, and the others run", async ({ cwd, log, json, told }) => {
  configure(cwd, {
    hooks: { rollback: { after: [["/bin/sh", "-c", "echo no such unit; exit 5"], noting(log)] } },
  });
  const report = await json(0, ...ROLLBACK);
  assert.equal(report.status, "success");
  assert.deepEqual(report.warnings, [
    "The hook /bin/sh after the rollback failed with exit code 5: no such unit",
  ]);
  assert.deepEqual(told(), ["after|rollback|v1.0.1|success|0"]);
});

hookTest("one that takes too long is ended, with what it started", async ({ cwd, log, json, told }) => {
  const slow = { command: ["/bin/sh", "-c", "sleep 600 & sleep 600"], timeout: "200ms" };
  configure(cwd, { hooks: { rollback: { before: [slow], after: [noting(log)] } } });
  const report = await json(41, ...ROLLBACK);
  assert.match(report.error.message, /did not end within 0\.2 s and was killed/);
  assert.deepEqual(told(), ["after|rollback|v1.0.1|failed|41"]);
});

hookTest("one that is not there is named", async ({ cwd, json }) => {
  configure(cwd, { hooks: { rollback: { before: [["backout-has-no-such-program"]] } } });
  const report = await json(41, ...ROLLBACK);
  assert.match(
    report.error.message,
    /The hook backout-has-no-such-program before the rollback was not found/,
  );
});

hookTest("none runs where policy refuses, or nothing is to be done", async (world) => {
  const { cwd, log, json, told, source } = world;
  const both = { before: [noting(log)], after: [noting(log)] };
  const hooks = { rollback: both, publish: both };
  configure(cwd, { hooks, policy: { rules: { "reason-required": "deny" } } });
  await json(41, "release", "rollback", "v1.0.1");
  await json(40, "release", "rollback", "v9.9.9", "--reason", "x");
  configure(cwd, { hooks });
  await json(0, "release", "publish", "v1.0.1", source("v1.0.1"));
  assert.deepEqual(told(), []);
});

hookTest("a dry run runs none, and says which would run", async ({ cwd, log, json, told }) => {
  configure(cwd, { hooks: { rollback: { before: [noting(log), ["drain"]], after: [noting(log)] } } });
  const report = await json(0, ...ROLLBACK, "--dry-run");
  assert.deepEqual(report.warnings, [
    "A real run runs /bin/sh, drain before it",
    "A real run runs /bin/sh after it",
  ]);
  assert.deepEqual(told(), []);
});

hookTest("those after run although the operation fails", async ({ cwd, path, log, json, told, versions }) => {
  // The hook itself takes a file away that the operation then needs.
  const sabotage = noting(log, `rm "${path}/v1.0.1/app.txt"`);
  configure(cwd, { hooks: { rollback: { before: [sabotage], after: [noting(log)] } } });
  const report = await json(52, ...ROLLBACK);
  assert.equal(report.status, "failed");
  assert.deepEqual(told(), ["before|rollback|v1.0.1||", "after|rollback|v1.0.1|failed|52"]);
  assert.deepEqual(versions(), ["v1.0.2", "v1.0.1", "v1.0.0"]);
});

hookTest("those after run although one before is stopped by a signal", async (world) => {
  const { cwd, path, log, told, versions } = world;
  const slow = noting(log, "sleep 600");
  configure(cwd, { hooks: { rollback: { before: [slow], after: [noting(log)] } } });
  const stop = new AbortController();
  const running = runInProcess([...ROLLBACK, "-r", path], { cwd, signal: stop.signal });
  while (told().length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  stop.abort("SIGINT");
  const { code, stderr } = await running;
  assert.equal(code, 130, stderr);
  assert.deepEqual(told(), ["before|rollback|v1.0.1||", "after|rollback|v1.0.1|failed|130"]);
  assert.deepEqual(versions(), ["v1.0.2", "v1.0.1", "v1.0.0"]);
});

hookTest("after a crash in one of them those of the recovery run", async ({ cwd, path, log, json, told }) => {
  configure(cwd, {
    hooks: {
      rollback: { before: [noting(log, "echo $$ > pid; exec sleep 600")] },
      recover: { after: [noting(log)] },
    },
  });
  const child = programCommand([...ROLLBACK, "-r", path], { cwd }).spawn();
  while (linesOf(`${cwd}/pid`).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  child.kill("SIGKILL");
  await child.output();
  Deno.kill(Number(linesOf(`${cwd}/pid`)[0]), "SIGKILL"); // nobody is left to end it
  assert.deepEqual((await json(0, "recover")).recovered, [], "nothing had been written");
  assert.deepEqual(told(), ["before|rollback|v1.0.1||", "after|recover||success|0"]);
  await json(0, "recover");
  assert.equal(told().length, 2);
});

const killing = requires("posix");
Deno.test({
  name: `hooks: after a crash those of the recovery run, once${
    binary === undefined ? killing.suffix : " [from source only]"
  }`,
  ignore: binary !== undefined || killing.ignore,
  fn: async () => {
    killing.assertPresent();
    await withTempDir(async (cwd) => {
      const { publish, path, json } = testRepository(cwd);
      await publish("v1.0.0");
      await publish("v1.0.1");
      await publish("v1.0.2");
      const log = `${cwd}/told`;
      configure(cwd, {
        hooks: {
          rollback: { before: [noting(log)], after: [noting(log)] },
          recover: { after: [noting(log)] },
        },
      });
      await killAfterCommit(cwd, "releases", [...ROLLBACK]);
      const before = "before|rollback|v1.0.1||";
      assert.deepEqual(linesOf(log), [before], "the hook after it has not run");
      await json(0, "recover");
      const recovered = "after|recover|v1.0.1|success|0";
      assert.deepEqual(linesOf(log), [before, recovered]);
      await json(0, "recover");
      assert.deepEqual(linesOf(log), [before, recovered], "there was nothing more to recover");

      // Whoever recovers first runs them, also on the way to something else.
      await killAfterCommit(cwd, "releases", ["release", "rollback", "v1.0.2", "--reason", "broken"]);
      const { code, stderr } = await runProgram(
        ["release", "yank", "v1.0.0", "--reason", "x", "-r", path],
        { cwd },
      );
      assert.equal(code, 0, stderr);
      assert.deepEqual(linesOf(log).slice(2), [
        "before|rollback|v1.0.2||",
        "after|recover|v1.0.2|success|0",
      ]);
    });
  },
});
