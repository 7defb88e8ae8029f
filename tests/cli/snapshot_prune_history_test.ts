/** `snapshot prune` and the history of a workspace: an unbroken newest part stays, and only where it is the workspace's own. */
import assert from "node:assert/strict";
import { newOperationId } from "#/core/ids.ts";
import { testRequiring } from "../support/require.ts";
import { ids, withPoints } from "./prune_support.ts";
import type { TestWorkspace } from "./snapshot_support.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const HISTORY = ".backout/history";

const recordsIn = ({ folder }: TestWorkspace) =>
  [...Deno.readDirSync(`${folder}/${HISTORY}`)].map(({ name }) => name).toSorted();

/** Copies of the newest record, one for each of the last `days` days, as if the workspace were that old. */
function addHistory(workspace: TestWorkspace, days: number): void {
  const newest = recordsIn(workspace).at(-1)!;
  const record = JSON.parse(workspace.read(`${HISTORY}/${newest}`));
  for (let day = 1; day <= days; day++) {
    const at = new Date(Date.now() - day * DAY + HOUR);
    const id = newOperationId(at);
    workspace.write(
      `${HISTORY}/${id}.json`,
      JSON.stringify({ ...record, id, at: at.toISOString(), audit: null }),
    );
  }
}

testRequiring(
  ["posix"],
  "snapshot prune: old records of the history go along, the audit log stays",
  async () => {
    await withPoints(["a", "b", "c"], async (workspace) => {
      const { json, run } = workspace;
      addHistory(workspace, 80);
      const all = recordsIn(workspace);
      const prune = ["snapshot", "prune", "--keep-last", "2", "--history-keep-within", "60d", "--yes"];
      const dry = await json(...prune, "--dry-run");
      assert.equal(dry.prune.history_records_to_delete, 20);
      assert.match(dry.summary, /^Would delete 1 snapshot .* and 20 history records; 2 snapshots stay$/);

      const report = await json(...prune);
      assert.equal(report.steps.at(-1).kind, "prune_history");
      assert.ok(report.steps.every(({ status }: { status: string }) => status === "done"));
      assert.deepEqual(await ids(workspace), ["b", "c"]);
      // The dry run and the run have records of their own.
      assert.deepEqual(recordsIn(workspace).slice(0, -2), all.slice(20));
      assert.deepEqual((await json("audit", "verify")).problems, []);

      // A record or two more are not worth a run each night.
      const again = await run([...prune.slice(0, -2), "59d", "--yes", "--json"]);
      assert.equal(JSON.parse(again.stdout).summary, "Nothing to delete: 2 snapshots stay");
    });
  },
);

testRequiring(
  ["posix"],
  "snapshot prune: history alone goes once there is a lot, and never under 50",
  async () => {
    await withPoints(["a"], async (workspace) => {
      workspace.write(
        "prune.yaml",
        `${workspace.read("prune.yaml").replace("keep_last: 2", "history: {keep_last: 1}")}`,
      );
      addHistory(workspace, 149);
      const newest = recordsIn(workspace).slice(-50);
      const report = await workspace.json("snapshot", "prune", "--config", "prune.yaml", "--yes");
      assert.equal(report.summary, "Deleted 100 history records; 1 snapshot stays");
      assert.deepEqual(recordsIn(workspace).slice(0, -1), newest);
    });
  },
);

testRequiring(
  ["posix"],
  "snapshot prune: the history of a repository in the same folder is not its own",
  async () => {
    await withPoints(["a", "b"], async (workspace) => {
      addHistory(workspace, 200);
      const all = recordsIn(workspace);
      workspace.write("index.json", '{"schema_version": 1, "serial": 1, "releases": []}\n');
      const prune = ["snapshot", "prune", "--keep-last", "1", "--history-keep-last", "50", "--yes", "--json"];
      const { code, stdout } = await workspace.run(prune);
      assert.equal(code, 0, stdout);
      assert.deepEqual(await ids(workspace), ["b"]);
      assert.deepEqual(recordsIn(workspace).slice(0, -1), all);
    });
  },
);
