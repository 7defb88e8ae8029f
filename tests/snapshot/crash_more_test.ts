/** SIGKILL in a snapshot, in a confirmation, and in the way back of what nobody confirmed. */
import assert from "node:assert/strict";
import { createSnapshot, listSnapshots, waitingRestore } from "#/snapshot/mod.ts";
import { testRequiring } from "../support/require.ts";
import { tempDir } from "../support/temp.ts";
import { chosen, Sweep } from "./sweep.ts";

const SAMPLE = 4;
const LATER = () => new Date(Date.now() + 7_200_000);

testRequiring(
  ["posix"],
  "a snapshot that dies is there whole or not at all, and the next one works",
  async () => {
    await using temp = tempDir("backout-create-sweep-");
    const sweep = await Sweep.begin("text", temp.path);
    sweep.reset();
    const { points } = sweep.child(0, ["create", "whole"]);
    for (const point of chosen(points.length, SAMPLE)) {
      sweep.reset();
      if (!sweep.child(point, ["create", "killed"]).killed) continue;
      const where = `killed before ${point} of ${points.length} (${points[point - 1]})`;
      const { snapshots, damaged } = await listSnapshots(sweep.options());
      assert.deepEqual(damaged, [], where);
      const found = snapshots.find(({ id }) => id === "killed");
      assert.ok(found === undefined || found.targets.length === 3, where);
      const next = await createSnapshot(sweep.options());
      assert.equal(next.exit_code, 0, `${where}: then ${next.summary}`);
      sweep.assertNoJournal(where);
    }
  },
);

testRequiring(
  ["posix"],
  "a confirmation that dies counts or does not; without one it is taken back",
  async () => {
    await using temp = tempDir("backout-confirm-sweep-");
    const sweep = await Sweep.begin("text", temp.path);
    sweep.reset();
    sweep.child(0, ["wait", sweep.id]);
    sweep.keep("waiting");
    const counts = { before: 0, after: 0 };
    for (const action of ["confirm", "revert"]) {
      sweep.bringBack("waiting");
      const { points } = sweep.child(0, [action]);
      for (const point of chosen(points.length, SAMPLE)) {
        sweep.bringBack("waiting");
        if (!sweep.child(point, [action]).killed) continue;
        const where = `${action} killed before ${point} of ${points.length} (${points[point - 1]})`;
        const waits = await waitingRestore(sweep.options()) !== undefined;
        const end = await sweep.recovered(where, LATER);
        counts[end] += 1;
        if (waits || action === "revert") assert.equal(end, "before", where);
        else assert.equal(end, "after", where);
      }
    }
    assert.ok(counts.before > 0 && counts.after > 0, JSON.stringify(counts));
  },
);
