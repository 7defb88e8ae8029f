/** `snapshot prune` on real folders: what the preview says is what happens, and nothing that is needed goes. */
import assert from "node:assert/strict";
import type { PrunedSnapshot } from "#/report/model.ts";
import { programWords, runInProcess } from "../support/cli.ts";
import { testRequiring } from "../support/require.ts";
import { ids, RETENTION, withPoints } from "./prune_support.ts";
import { FILES, withWorkspace } from "./snapshot_support.ts";

const reasons = (rows: readonly PrunedSnapshot[]) =>
  Object.fromEntries(rows.map(({ id, action, reasons }) => [id, `${action}: ${reasons.join(", ")}`]));

/** All files of the workspace's own folder, with their content's size: a trace would be among them. */
function own(folder: string): readonly string[] {
  const found: string[] = [];
  const walk = (path: string) => {
    for (const entry of Deno.readDirSync(path)) {
      const full = `${path}/${entry.name}`;
      found.push(`${full} ${entry.isFile ? Deno.statSync(full).size : ""}`);
      if (entry.isDirectory) walk(full);
    }
  };
  walk(folder);
  return found.toSorted();
}

testRequiring(
  ["posix"],
  "snapshot prune: the preview says what happens, and the second run does nothing",
  async () => {
    await withPoints(["a", "b", "c", "d", "e", "f"], async (workspace) => {
      const { folder, run, json } = workspace;
      await json("snapshot", "pin", "b");
      await json("snapshot", "mark", "a", "good");
      const prune = ["snapshot", "prune", "--keep-last", "1", "--reason", "nightly", "--yes"];
      const dry = await json(...prune, "--dry-run");
      assert.deepEqual(reasons(dry.prune.snapshots), {
        f: "keep: the newest of all, the newest that was made by hand, the newest",
        e: "delete: no rule keeps it",
        d: "delete: no rule keeps it",
        c: "delete: no rule keeps it",
        b: "keep: pinned",
        a: "keep: the last good one",
      });
      assert.deepEqual(await ids(workspace), ["a", "b", "c", "d", "e", "f"], "a dry run deletes nothing");
      const text = await run([...prune, "--dry-run"]);
      assert.match(text.stdout, /^ {2}d +delete +\S.* manual +\S+ \w+ +no rule keeps it$/m);
      assert.match(text.stdout, /^ {2}b +keep .* pinned$/m);

      const report = await json(...prune);
      assert.deepEqual(report.prune.snapshots.map(ungrown), dry.prune.snapshots.map(ungrown));
      const steps = (one: typeof report) =>
        one.steps.map(({ description }: { description: string }) => description);
      assert.deepEqual(steps(report), steps(dry));
      assert.deepEqual(report.steps.map(({ status }: { status: string }) => status), [
        "done",
        "done",
        "done",
      ]);
      assert.match(steps(report)[0], /^delete c /, "oldest first");
      assert.deepEqual(report.versions, ["e", "d", "c"]);
      assert.deepEqual(await ids(workspace), ["a", "b", "f"]);
      const [entry] = await json("history");
      assert.deepEqual([entry.operation, entry.status, entry.reason], [
        "snapshot_prune",
        "success",
        "nightly",
      ]);
      assert.deepEqual((await json("audit", "verify")).problems, []);
      assert.equal((await run(["snapshot", "verify", "--read-data"])).code, 0);

      const before = own(folder);
      const again = await json(...prune);
      assert.deepEqual([again.status, again.exit_code, again.steps], ["success", 0, []]);
      assert.equal(again.summary, "Nothing to delete: 3 snapshots stay");
      assert.deepEqual(own(folder), before, "no trace");
    });
  },
);

const ungrown = ({ id, action, reasons }: PrunedSnapshot) => ({ id, action, reasons });

Deno.test("snapshot prune: a folder without a snapshot stays as it is; no rule at all is refused", async () => {
  await withWorkspace(FILES, async ({ folder, run, json }) => {
    const before = own(folder);
    assert.equal((await json("snapshot", "prune", "--keep-last", "3", "--yes")).exit_code, 0);
    const refused = await run(["snapshot", "prune", "--yes"]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /No retention rule is set for snapshots/);
    const dry = await json("snapshot", "prune", "--dry-run");
    assert.match(dry.warnings.join(), /No retention rule is set/);
    assert.equal((await run(["snapshot", "prune", "--keep-last", "x", "--yes"])).code, 2);
    assert.deepEqual(own(folder), before);

    for (const verb of ["plan", "apply"]) {
      const lost = await run(["retention", verb, "--keep-last", "1"]);
      assert.equal(lost.code, 2);
      assert.match(lost.stderr, /backout snapshot prune --dry-run/);
    }
  });
});

Deno.test("snapshot prune: rules of the configuration, and flags over them", async () => {
  await withPoints(["a", "b", "c", "d"], async (workspace) => {
    const { run, json } = workspace;
    const gone = async (...flags: readonly string[]) => {
      const { prune } = await json("snapshot", "prune", "--config", "prune.yaml", "--dry-run", ...flags);
      return prune.snapshots.filter(({ action }: PrunedSnapshot) => action === "delete")
        .map(({ id }: PrunedSnapshot) => id);
    };
    assert.deepEqual(await gone(), ["b", "a"]);
    assert.deepEqual(await gone("--keep-last", "3"), ["a"]);
    assert.deepEqual(await gone("--keep-within", "1h"), []);
    assert.deepEqual(await gone("--max-size", "1B"), ["b", "a"], "keep_last holds against the limit");
    assert.deepEqual(await gone("--keep-last", "1", "--max-size", "1B"), ["c", "b", "a"]);
    assert.equal((await run(["snapshot", "prune", "--config", "prune.yaml"])).code, 2, "nobody can be asked");
    assert.deepEqual(await ids(workspace), ["a", "b", "c", "d"]);
  });
});

testRequiring(
  ["posix"],
  "snapshot prune: what a restore needs that waits for its confirmation stays",
  async () => {
    await withPoints(["a", "b", "c"], async (workspace) => {
      const { run, json, write, read } = workspace;
      write("etc/app.conf", "now\n");
      const { snapshot } = await json("snapshot", "restore", "a", "--yes", "--confirm-within", "10m");
      const report = await json("snapshot", "prune", "--keep-last", "1", "--yes");
      const said = reasons(report.prune.snapshots);
      assert.equal(said.a, "keep: the restore of a waits for a confirmation");
      assert.match(said[snapshot.safety_id]!, /keep: .*the restore of a waits for a confirmation/);
      assert.equal(said.b, "delete: no rule keeps it");
      assert.deepEqual(await ids(workspace), ["a", "c", snapshot.safety_id]);
      assert.equal(read("etc/app.conf"), "a\n");
      await json("confirm");
      await json("snapshot", "prune", "--keep-last", "1", "--yes");
      assert.deepEqual(await ids(workspace), ["c", snapshot.safety_id], "it is over");
      assert.equal((await run(["snapshot", "restore", snapshot.safety_id, "--yes"])).code, 0);
      assert.equal(read("etc/app.conf"), "now\n");
    });
  },
);

testRequiring(["posix"], "snapshot prune: on a terminal it shows every snapshot, and asks", async () => {
  await withPoints(["a", "b", "c"], async (workspace) => {
    const ask = (stdin: string) =>
      runInProcess(["snapshot", "prune", "--keep-last", "1", "--no-color"], {
        cwd: workspace.folder,
        terminal: true,
        stdin,
      });
    const no = await ask("n\n");
    assert.equal(no.code, 2);
    assert.match(no.stderr, /^c +keep .*the newest/m);
    assert.match(no.stderr, /^a +delete .*no rule keeps it$/m);
    assert.deepEqual(await ids(workspace), ["a", "b", "c"]);
    const yes = await ask("y\n");
    assert.equal(yes.code, 0, yes.stderr);
    assert.match(yes.stdout, /Deleted 2 snapshots/);
    assert.deepEqual(await ids(workspace), ["c"]);
    const idle = await ask("");
    assert.deepEqual([idle.code, /go on\?/.test(idle.stderr)], [0, false], "nothing to ask about");
  });
});

testRequiring(
  ["posix"],
  "snapshot prune --collect: frees the store too, also where nothing was deleted",
  async () => {
    await withPoints(["a", "b", "c"], async ({ run, json }) => {
      const prune = ["snapshot", "prune", "--keep-last", "1", "--yes", "--collect"];
      const first = await json(...prune);
      assert.equal(first.prune.collected.dry_run, false);
      assert.ok(first.prune.collected.waiting_packs > 0, "what is without a use waits its time");
      assert.match(first.summary, /^Deleted 2 snapshots .*; freed 0 B in the store, .* more in a later run$/);
      const again = await json(...prune);
      assert.deepEqual([again.steps, again.prune.collected.snapshots], [[], 1]);
      const dry = await json(...prune, "--dry-run");
      assert.equal(dry.prune.collected, undefined);
      assert.equal((await run(["snapshot", "verify", "--read-data"])).code, 0);
    });
  },
);

testRequiring(["posix"], "snapshot prune: the policy is asked, where something would go", async () => {
  await withPoints(["a", "b", "c"], async (workspace) => {
    const { run, write } = workspace;
    const rule = `policy:
  custom:
    - {id: no-prune, when: "true", message: not today, operations: [snapshot_prune]}
`;
    write("backout.yaml", `version: 1\n${FILES}${rule}`);
    const refused = await run(["snapshot", "prune", "--keep-last", "1", "--yes"]);
    assert.equal(refused.code, 41, refused.stderr);
    assert.match(refused.stderr, /not today/);
    assert.deepEqual(await ids(workspace), ["a", "b", "c"]);
    assert.equal((await run(["snapshot", "prune", "--keep-last", "3", "--yes"])).code, 0);
  });
});

testRequiring(["posix"], "snapshot prune: the lines for systemd and cron run as they are", async () => {
  const scripts = ["backout.cron", "backout-retention.service"].map((name) =>
    Deno.readTextFileSync(new URL(`../../scripts/${name}`, import.meta.url))
  );
  const lines = scripts.map((text) => /^#.*(?<=\/backout )(snapshot prune .*)$/m.exec(text)?.[1]);
  for (const line of lines) {
    assert.ok(line !== undefined);
    await withPoints(["a", "b", "c"], async (workspace) => {
      const words = line.replace("/etc/backout/backout.yaml", "prune.yaml").match(/"[^"]*"|\S+/g)!;
      const { code, stderr } = await workspace.run(words.map((word) => word.replaceAll('"', "")));
      assert.equal(code, 0, stderr);
      assert.deepEqual(await ids(workspace), ["b", "c"]);
    });
  }
});

testRequiring(
  ["posix"],
  "retention: the point of a guard stays while its command runs and takes others",
  async () => {
    await withWorkspace(`${FILES}${RETENTION.replace("2", "1")}`, async ({ run, json, write, read }) => {
      write("etc/app.conf", "one\n");
      write("data/f", "f\n");
      const words = programWords(["snapshot", "create", "--id", "inner"]);
      const inner = words.map((word) => `'${word}'`).join(" ");
      const script = `echo two > etc/app.conf; ${inner} >&2 || exit 9; exit 1`;
      const { code, stderr } = await run(["guard", "--", "sh", "-c", script]);
      assert.equal(code, 56, stderr);
      assert.equal(read("etc/app.conf"), "one\n");
      const { snapshots } = await json("snapshot", "list");
      assert.ok(snapshots.some(({ id }: { id: string }) => id === "inner"), "it was taken");
    });
  },
);
