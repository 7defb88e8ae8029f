/** `snapshot prune` that is killed, stopped, refused by the storage, or run twice at the same time. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { newOperationId } from "#/core/ids.ts";
import { setFaultHook } from "#/core/posix.ts";
import { binary, runInProcess, runProgram } from "../support/cli.ts";
import { testRequiring } from "../support/require.ts";
import { ids, PRUNE, withPoints } from "./prune_support.ts";

const preload = fileURLToPath(new URL("../support/faulty_main.ts", import.meta.url));
const ENV = { TZ: "UTC" };

testRequiring(
  ["posix"],
  "snapshot prune: what the storage keeps is told (51), and the others go",
  async () => {
    await withPoints(["a", "b", "c"], async (workspace) => {
      const { folder, run, json } = workspace;
      setFaultHook((call, path) => {
        if (call !== "unlink" || !path.endsWith("snapshots/a.json")) return;
        throw Object.assign(new Error("EPERM: operation not permitted"), {
          code: "EPERM",
          errno: -1,
          syscall: "unlink",
        });
      });
      const prune = ["snapshot", "prune", "--keep-last", "1", "--yes"];
      const { code, stdout } = await runInProcess([...prune, "--json"], { cwd: folder })
        .finally(() => setFaultHook(undefined));
      const report = JSON.parse(stdout);
      assert.deepEqual([code, report.status, report.versions], [51, "partial", ["b"]], stdout);
      assert.match(report.warnings.join(), /The snapshot a could not be deleted, and stays/);
      const statuses = report.steps.map(({ status }: { status: string }) => status);
      assert.deepEqual(statuses, ["failed", "done"]);
      assert.deepEqual(await ids(workspace), ["a", "c"]);
      const files = ["--html-report", "out.html", "--junit-report", "out.xml", "--text-report", "out.txt"];
      assert.equal((await run([...prune, ...files])).code, 0, "the next run tries again");
      assert.deepEqual(await ids(workspace), ["c"]);
      assert.match(workspace.read("out.html"), /delete a \(no rule keeps it\)/);
      assert.match(workspace.read("out.xml"), /delete a \(no rule keeps it\)/);
      assert.match(workspace.read("out.txt"), /^ {2}a +delete /m);
      assert.equal((await json("audit", "verify")).problems.length, 0);
    });
  },
);

testRequiring(
  ["posix"],
  "snapshot prune: what cannot be read is kept, and so is what it may need",
  async () => {
    await withPoints(["a", "b", "c"], async (workspace) => {
      const { folder, run, json } = workspace;
      Deno.writeTextFileSync(`${folder}/.backout/store/snapshots/a.json`, "broken");
      const prune = ["snapshot", "prune", "--keep-last", "1", "--yes"];
      const journal = `${folder}/.backout/target-operations/${newOperationId(new Date())}`;
      Deno.mkdirSync(journal);
      Deno.writeTextFileSync(`${journal}/journal.jsonl`, "broken");
      const dry = await json(...prune, "--dry-run");
      assert.equal(dry.prune.delete.snapshots, 0);
      assert.match(dry.prune.snapshots[1].reasons.join(), /^the unfinished operation \S+ may need it$/);
      assert.equal((await run(prune)).code, 53);
      Deno.removeSync(journal, { recursive: true });
      const report = await json(...prune);
      assert.deepEqual(report.versions, ["b"]);
      assert.match(report.warnings.join(), /a\.json cannot be read: its snapshot is kept/);
      assert.ok(Deno.statSync(`${folder}/.backout/store/snapshots/a.json`).isFile);
    });
  },
);

if (binary === undefined) {
  testRequiring(["posix"], "snapshot prune: SIGKILL in the middle, and again: the rest goes", async () => {
    await withPoints(["a", "b", "c", "d", "e"], async (workspace) => {
      const { folder, json } = workspace;
      const number = await callOnSecond(folder);
      const killed = await runProgram(PRUNE, {
        cwd: folder,
        preload,
        env: { ...ENV, BACKOUT_FAULT: `kill:${number}` },
      });
      assert.equal(killed.code, 137, killed.stderr);
      assert.deepEqual(
        await ids(workspace),
        ["b", "c", "d", "e"],
        "one is gone, each of the others is whole",
      );
      const again = await runProgram(PRUNE, { cwd: folder, env: ENV });
      assert.equal(again.code, 0, again.stderr);
      assert.deepEqual(JSON.parse(again.stdout).versions, ["c", "b"]);
      assert.deepEqual(await ids(workspace), ["d", "e"]);
      assert.deepEqual((await json("audit", "verify")).problems, []);
    });
  });

  testRequiring(
    ["posix"],
    "snapshot prune: SIGTERM in the middle: the report says what is gone",
    async () => {
      await withPoints(["a", "b", "c", "d", "e"], async (workspace) => {
        const { folder, json } = workspace;
        const stop = new AbortController();
        setFaultHook((call, path) => {
          if (call === "unlink" && path.endsWith("snapshots/a.json")) stop.abort("SIGTERM");
        });
        const { stdout, code } = await runInProcess(PRUNE, { cwd: folder, signal: stop.signal })
          .finally(() => setFaultHook(undefined));
        const report = JSON.parse(stdout);
        assert.deepEqual([code, report.status, report.versions], [143, "partial", ["a"]], stdout);
        assert.match(report.summary, /^Deleted 1 of 3 snapshots: /);
        const statuses = report.steps.map(({ status }: { status: string }) => status);
        assert.deepEqual(statuses, ["done", "skipped", "skipped"]);
        const [entry] = await json("history");
        assert.deepEqual([entry.status, entry.versions], ["partial", ["a"]]);
        assert.deepEqual(await ids(workspace), ["b", "c", "d", "e"]);
      });
    },
  );

  testRequiring(["posix"], "snapshot prune: two at the same time: one does it, both are fine", async () => {
    await withPoints(["a", "b", "c", "d", "e"], async (workspace) => {
      const { folder, json } = workspace;
      const both = await Promise.all(
        [1, 2].map(() => runProgram([...PRUNE, "--lock-timeout", "60s"], { cwd: folder, env: ENV })),
      );
      assert.deepEqual(both.map(({ code }) => code), [0, 0], both.map(({ stderr }) => stderr).join("\n"));
      const deleted = both.flatMap(({ stdout }) => JSON.parse(stdout).versions);
      assert.deepEqual(deleted, ["c", "b", "a"], "each once");
      const entries = (await json("history")) as { operation: string }[];
      assert.equal(entries.filter(({ operation }) => operation === "snapshot_prune").length, 1);
      assert.deepEqual(await ids(workspace), ["d", "e"]);
    });
  });
}

/** The number of the changing call that deletes the second snapshot, found out in a rehearsal that is undone. */
async function callOnSecond(folder: string): Promise<number> {
  const [counted, kept] = [`${folder}.calls`, `${folder}.kept`];
  const copy = (from: string, to: string) => new Deno.Command("cp", { args: ["-a", from, to] }).output();
  await copy(folder, kept);
  await runProgram(PRUNE, { cwd: folder, preload, env: { ...ENV, BACKOUT_FAULT: `count:${counted}` } });
  await Deno.remove(`${folder}/.backout`, { recursive: true });
  await copy(`${kept}/.backout`, `${folder}/.backout`);
  const line = Deno.readTextFileSync(counted).split("\n").find((it) =>
    /unlink ".*snapshots\/b\.json"/.test(it)
  );
  for (const path of [counted, kept]) await Deno.remove(path, { recursive: true });
  assert.ok(line !== undefined, "b is deleted");
  return Number(line.split(" ")[0]);
}
