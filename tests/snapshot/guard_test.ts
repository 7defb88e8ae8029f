/** A command whose failure is rolled back. */
import assert from "node:assert/strict";
import { listSnapshots, runGuard } from "#/snapshot/mod.ts";
import { withTempDir } from "../support/temp.ts";
import { testRequiring } from "../support/require.ts";
import { look, makeWorld, pathOf, versions } from "./world.ts";

function shell(text: string): readonly string[] {
  return ["sh", "-c", text];
}

testRequiring(
  ["posix"],
  "guard: the command fails, and its change is rolled back (56)",
  () =>
    withTempDir(async (folder) => {
      const options = makeWorld(folder);
      const report = await runGuard({
        ...options,
        command: shell(`printf x > ${pathOf(folder, "two")}; exit 7`),
      });
      assert.equal(report.exit_code, 56, report.summary);
      assert.match(report.summary, /exit code 7/);
      assert.equal(report.operation, "guard");
      assert.deepEqual(look(folder), versions("v1"));
    }),
);

testRequiring(
  ["posix"],
  "guard: the command succeeds; its change and the snapshot stay",
  () =>
    withTempDir(async (folder) => {
      const options = makeWorld(folder);
      const report = await runGuard({ ...options, command: shell(`printf x > ${pathOf(folder, "two")}`) });
      assert.equal(report.exit_code, 0, report.summary);
      assert.deepEqual(look(folder), { ...versions("v1"), two: "x" });
      const { snapshots } = await listSnapshots(options);
      assert.deepEqual(snapshots.map(({ origin }) => origin), ["guard"]);
    }),
);

testRequiring(
  ["posix"],
  "guard: the command succeeds, but a required check does not pass: its change is rolled back (56)",
  () =>
    withTempDir(async (folder) => {
      const check = { type: "file_exists", config: { path: pathOf(folder, "one") } };
      const options = { ...makeWorld(folder), checks: [check] };
      const broken = await runGuard({ ...options, command: shell(`rm ${pathOf(folder, "one")}`) });
      assert.equal(broken.exit_code, 56, broken.summary);
      assert.match(broken.summary, /^sh succeeded, but file_exists .*one\.txt.*rolled back/);
      assert.deepEqual(look(folder), versions("v1"));
      const advisory = { ...options, checks: [{ ...check, required: false }] };
      const kept = await runGuard({ ...advisory, command: shell(`rm ${pathOf(folder, "one")}`) });
      assert.equal(kept.exit_code, 0, kept.summary);
      assert.equal(kept.snapshot?.checks[0]?.passed, false);
      assert.ok(kept.warnings.some((it) => it.startsWith("file_exists")), kept.warnings.join());
      assert.equal(look(folder).one, "absent");
    }),
);

testRequiring(
  ["posix"],
  "guard: a failure that changed nothing, a missing program, a killed one",
  () =>
    withTempDir(async (folder) => {
      const options = makeWorld(folder);
      const idle = await runGuard({ ...options, command: ["false"] });
      assert.equal(idle.exit_code, 56);
      assert.match(idle.summary, /changed nothing/);
      const missing = await runGuard({ ...options, command: ["no-such-program-anywhere"] });
      assert.equal(missing.exit_code, 40, missing.summary);
      const killed = await runGuard({
        ...options,
        command: shell(`printf x > ${pathOf(folder, "one")}; kill -9 $$`),
      });
      assert.equal(killed.exit_code, 56);
      assert.match(killed.summary, /SIGKILL/);
      assert.deepEqual(look(folder), versions("v1"));
    }),
);

testRequiring(
  ["posix"],
  "guard: what stops it goes to the command first, and the change is rolled back",
  () =>
    withTempDir(async (folder) => {
      const options = makeWorld(folder);
      const controller = new AbortController();
      const path = pathOf(folder, "one");
      const command = shell(
        `trap 'printf y >> ${path}; exit 3' TERM; printf x > ${path}; while :; do sleep 0.05; done`,
      );
      const running = runGuard({ ...options, command, signal: controller.signal });
      while (look(folder).one !== "x") await new Promise((resolve) => setTimeout(resolve, 10));
      controller.abort("SIGTERM");
      const report = await running;
      assert.equal(report.exit_code, 56, report.summary);
      assert.match(report.summary, /exit code 3/);
      assert.deepEqual(look(folder), versions("v1"));
    }),
);

testRequiring(
  ["posix"],
  "guard: what stops it also ends what the command started, before the change is rolled back",
  () =>
    withTempDir(async (folder) => {
      const options = makeWorld(folder);
      const controller = new AbortController();
      const path = pathOf(folder, "one");
      // The shell dies at once; what it waits for goes on for a moment, and would write after the rollback.
      const command = shell(
        `sh -c 'trap "sleep 0.3; printf z >> ${path}; exit" TERM; printf x > ${path}
           for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; done; printf y >> ${path}'; :`,
      );
      const running = runGuard({ ...options, command, signal: controller.signal });
      while (look(folder).one !== "x") await new Promise((resolve) => setTimeout(resolve, 10));
      controller.abort("timeout");
      const report = await running;
      assert.equal(report.exit_code, 56, report.summary);
      assert.deepEqual(look(folder), versions("v1"));
      await new Promise((resolve) => setTimeout(resolve, 1_200));
      assert.deepEqual(look(folder), versions("v1"), "nobody wrote afterwards");
    }),
);

testRequiring(
  ["posix"],
  "guard: a rule against it keeps the command from running",
  () =>
    withTempDir(async (folder) => {
      const policy = {
        custom: [{ id: "no-guard", when: "true", message: "not today", operations: ["guard" as const] }],
      };
      const options = { ...makeWorld(folder), policy };
      const report = await runGuard({ ...options, command: shell(`printf x > ${pathOf(folder, "one")}`) });
      assert.equal(report.exit_code, 41, report.summary);
      assert.deepEqual(look(folder), versions("v1"));
      assert.deepEqual((await listSnapshots(options)).snapshots, []);
    }),
);
