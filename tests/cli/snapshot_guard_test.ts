/** `guard`, `confirm`, `check run`: what stands between a change and its consequences. */
import assert from "node:assert/strict";
import { programCommand, programWords, runProgram } from "../support/cli.ts";
import { testRequiring } from "../support/require.ts";
import { FILES, withWorkspace } from "./snapshot_support.ts";

testRequiring(["posix"], "guard: a failing command is taken back (56), a good one stands", async () => {
  await withWorkspace(FILES, async ({ run, write, read }) => {
    write("etc/app.conf", "one\n");
    write("data/f", "f\n");
    const guard = (script: string) => run(["guard", "--json", "--", "sh", "-c", script]);
    const failed = await guard("echo broken > etc/app.conf; rm data/f; exit 3");
    assert.equal(failed.code, 56, failed.stderr);
    const report = JSON.parse(failed.stdout);
    assert.match(report.summary, /sh failed with exit code 3; its change was rolled back/);
    assert.equal(read("etc/app.conf"), "one\n");
    assert.equal(read("data/f"), "f\n");

    const good = await guard("echo two > etc/app.conf");
    assert.equal(good.code, 0, good.stderr);
    assert.equal(read("etc/app.conf"), "two\n");
    const { undo } = JSON.parse(good.stdout);
    assert.match(undo, /^backout snapshot restore rb-/);
    const back = await run([...undo.split(" ").slice(1), "--yes"]);
    assert.equal(back.code, 0, back.stderr);
    assert.equal(read("etc/app.conf"), "one\n");

    const missing = await run(["guard", "--", "no-such-program-here"]);
    assert.equal(missing.code, 40);
    assert.equal((await run(["guard"])).code, 2);
    const words = await run(["guard", "--", "sh", "-c", 'echo "$0" > data/f', "--dry-run"]);
    assert.equal(words.code, 0, words.stderr);
    assert.equal(read("data/f"), "--dry-run\n", "words after -- are the command's");
  });
});

testRequiring(["posix"], "guard: what the command prints does not stand in a document", async () => {
  await withWorkspace(FILES, async ({ folder, write, read }) => {
    write("etc/app.conf", "one\n");
    write("data/f", "f\n");
    const guard = (...args: readonly string[]) => runProgram(["guard", ...args], { cwd: folder });
    const script = ["--", "sh", "-c", 'echo "from $0"; echo two > etc/app.conf', "the command"];
    const good = await guard("--json", ...script);
    assert.equal(good.code, 0, good.stderr);
    assert.equal(JSON.parse(good.stdout).operation, "guard");
    assert.match(good.stderr, /from the command/);
    assert.equal(read("etc/app.conf"), "two\n");
    const events = await guard("--events", "-", "-q", ...script);
    const lines = events.stdout.split("\n").filter((line) => line.startsWith("{"));
    assert.ok(lines.length > 2 && lines.every((line) => JSON.parse(line).event !== undefined), events.stdout);
    assert.doesNotMatch(events.stdout, /from the command/);
    assert.match((await guard(...script)).stdout, /from the command/);
    const missing = await guard("--json", "--", "no-such-program-here");
    assert.deepEqual([missing.code, JSON.parse(missing.stdout).exit_code], [40, 40]);
    const plain = await guard("--json", "--", "./etc/app.conf");
    assert.deepEqual([plain.code, JSON.parse(plain.stdout).error.code], [2, 2]);
    const failed = await guard("--json", "--", "sh", "-c", "exit 126");
    assert.deepEqual([failed.code, JSON.parse(failed.stdout).exit_code], [56, 56]);
  });
});

const KEEP_ONE = `${FILES}snapshots:
  retention: {keep_last: 1, guard: {keep_last: 1}}
`;

testRequiring(
  ["posix"],
  "guard: what its command guards and snapshots itself takes nothing from it",
  async () => {
    await withWorkspace(KEEP_ONE, async ({ folder, write, read }) => {
      write("etc/app.conf", "one\n");
      write("data/f", "f\n");
      const script = `echo two > etc/app.conf
      "$@" guard -- sh -c 'echo three > etc/app.conf' && "$@" snapshot create && "$@" snapshot prune --yes
      exit 1`;
      const outer = ["guard", "--", "sh", "-c", script, "sh", ...programWords([])];
      const failed = await runProgram(outer, { cwd: folder });
      assert.equal(failed.code, 56, failed.stderr + failed.stdout);
      assert.equal(read("etc/app.conf"), "one\n");
    });
  },
);

testRequiring(
  ["posix"],
  "guard: one that was killed is told of until its snapshot is restored or deleted",
  async () => {
    await withWorkspace(KEEP_ONE, async ({ folder, run, json, write, read }) => {
      write("data/f", "f\n");
      for (const end of ["restore", "delete"]) {
        write("etc/app.conf", "one\n");
        write("wait", "");
        const script = "echo two > etc/app.conf; while [ -e wait ]; do sleep 0.05; done";
        const guard = programCommand(["guard", "--", "sh", "-c", script], { cwd: folder }).spawn();
        while (read("etc/app.conf") !== "two\n") await new Promise((resolve) => setTimeout(resolve, 20));
        const [{ id }] = (await json("snapshot", "list")).snapshots;
        const refused = await run(["snapshot", "delete", id, "--yes"]);
        assert.equal(refused.code, 41, refused.stderr);
        assert.match(refused.stderr, /the guard of sh may go back to it/);
        guard.kill("SIGKILL");
        await guard.status;
        Deno.removeSync(`${folder}/wait`); // its command ends too
        await guard.output();
        assert.match((await run(["snapshot", "list"])).stderr, /guard of sh was killed/);
        assert.match((await run(["status"])).stdout, new RegExp(`Guard: .*sh was killed.*${id}`));
        assert.match((await run(["doctor"])).stdout, /guard of sh was killed/);
        for (let i = 0; i < 3; i++) {
          const good = await run(["guard", "--json", "--", "true"]);
          assert.equal(good.code, 0, good.stderr);
          assert.match(JSON.parse(good.stdout).warnings.join(), new RegExp(`guard of sh was killed.*${id}`));
        }
        const ended = await run(["snapshot", end, id, "--yes"]);
        assert.equal(ended.code, 0, ended.stderr);
        assert.equal(read("etc/app.conf"), end === "restore" ? "one\n" : "two\n");
        assert.doesNotMatch((await run(["snapshot", "list"])).stderr, /killed/);
      }
    });
  },
);

Deno.test("confirm: in time it stands, too late it was taken back", async () => {
  await withWorkspace(FILES, async ({ run, json, write, read }) => {
    write("etc/app.conf", "one\n");
    write("data/f", "f\n");
    await json("snapshot", "create", "--id", "point");
    assert.equal((await run(["confirm"])).code, 40, "nothing waits");
    write("etc/app.conf", "two\n");
    const restored = await json("snapshot", "restore", "point", "--yes", "--confirm-within", "10m");
    assert.ok(Date.parse(restored.snapshot.confirm_by) > Date.now());
    assert.equal(read("etc/app.conf"), "one\n");
    const blocked = await run(["snapshot", "create", "meanwhile"]);
    assert.equal(blocked.code, 50);
    assert.match(blocked.stderr, /backout confirm/);
    assert.match((await run(["status"])).stdout, /Waiting: .*backout confirm/);
    assert.match((await run(["snapshot", "list"])).stderr, /waits for `backout confirm`/);
    await json("confirm");
    await json("snapshot", "create", "--id", "after");
    assert.equal(read("etc/app.conf"), "one\n");

    write("etc/app.conf", "three\n");
    await json("snapshot", "restore", "point", "--yes", "--confirm-within", "1s");
    assert.equal(read("etc/app.conf"), "one\n");
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await run(["recover"]);
    assert.equal(read("etc/app.conf"), "three\n", "nobody confirmed it");
    assert.equal(
      (await run(["snapshot", "restore", "point", "--yes", "--confirm-within", "1s", "--to", "x"])).code,
      2,
    );
  });
});

Deno.test("check run: 51 where a required check fails, an advisory one only warns", async () => {
  const checks = `checks:
  - {type: file_exists, path: etc/app.conf}
  - {type: file_exists, path: etc/missing, required: false, name: the other file}
`;
  await withWorkspace(checks, async ({ run, write }) => {
    write("etc/app.conf", "one\n");
    const passed = await run(["check", "run"]);
    assert.equal(passed.code, 0, passed.stdout);
    assert.match(passed.stdout, /✔ .*app\.conf/);
    assert.match(passed.stdout, /! the other file/);
    assert.match(passed.stdout, /1 of 2 checks passed/);
    write("more.yaml", "checks:\n  - {type: file_exists, path: etc/missing}\n");
    const failed = await run(["check", "run", "more.yaml", "--json"]);
    assert.equal(failed.code, 51);
    const view = JSON.parse(failed.stdout);
    assert.deepEqual([view.status, view.passed, view.total], ["failed", 0, 1]);
    write("wrong.yaml", "checks:\n  - {type: file_exist, path: x}\n");
    const wrong = await run(["check", "run", "wrong.yaml"]);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /wrong\.yaml:2:\d+/);
    assert.match(wrong.stderr, /file_exists/);
    assert.equal((await run(["check", "run", "none.yaml"])).code, 2);
  });
});

Deno.test("restore: a failed required check is 51, or taken back on request", async () => {
  await withWorkspace(FILES, async ({ run, json, write, read }) => {
    write("etc/app.conf", "one\n");
    write("data/f", "f\n");
    write("checks.yaml", "- {type: file_exists, path: missing}\n");
    await json("snapshot", "create", "--id", "point");
    write("etc/app.conf", "two\n");
    const restore = ["snapshot", "restore", "point", "--yes", "--checks", "checks.yaml"];
    const back = await run([...restore, "--rollback-on-failure", "--junit-report", "junit.xml"]);
    assert.equal(back.code, 43, back.stdout);
    assert.equal(read("etc/app.conf"), "two\n");
    assert.match(read("junit.xml"), /name="checks"/);
    const partial = await run(restore);
    assert.equal(partial.code, 51);
    assert.equal(read("etc/app.conf"), "one\n");
    assert.match(partial.stderr, /failed .*missing/);
  });
});

Deno.test("recover: a repository that is not there does not keep the workspace from its recovery", async () => {
  await withWorkspace(`repository: nowhere\n${FILES}`, async ({ run, json, write, read }) => {
    write("etc/app.conf", "one\n");
    write("data/f", "f\n");
    await json("snapshot", "create", "--id", "point");
    write("etc/app.conf", "two\n");
    await json("snapshot", "restore", "point", "--yes", "--confirm-within", "1s");
    assert.equal(read("etc/app.conf"), "one\n");
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const { code } = await run(["recover", "--lock-timeout", "30s"]);
    assert.equal(code, 40, "and it is told of the repository");
    assert.equal(read("etc/app.conf"), "two\n", "nobody confirmed it");
  });
});
