/** The power goes at each durability point of the operations that move artifacts. */
import assert from "node:assert/strict";
import { testRequiring } from "../support/require.ts";
import { atLevel, SWEPT } from "../support/sweep_level.ts";
import { tempDir } from "../support/temp.ts";
import type { CrashSweepOptions } from "./crash_sweep.ts";
import { OPERATIONS } from "./operations.ts";
import { describeCounts, sweepInParallel } from "./parallel_sweep.ts";
import { durabilityPoints } from "./power_loss_sweep.ts";
import { buildProgram } from "./program.ts";

const SWEPT_OPERATIONS = ["publish", "rollback-full", "rollback-shared", "rollback-to", "restore"];

testRequiring(
  ["root", "loop", "xfs_io"],
  `power loss: at durability points (${SWEPT}), then recover`,
  async (t) => {
    await using temp = tempDir("backout-power-");
    const program = buildProgram(temp.path);
    for (const operation of OPERATIONS.filter((it) => SWEPT_OPERATIONS.includes(it.name))) {
      await t.step(operation.name, async () => {
        const options = atLevel<CrashSweepOptions>({
          sample: { every: 23, pairs: 0 },
          wide: { every: 2, pairs: 0 },
          full: { every: 1, pairs: 60 },
        });
        const counts = await sweepInParallel(operation, options, { jobs: 1, program, kind: "power-loss" });
        console.log(`${operation.name}: ${describeCounts(counts)}`);
        assert.ok(counts.points > 0, "no point was tried");
        assert.equal(counts.failures.length, 0, counts.failures.slice(0, 5).join("\n"));
      });
    }
  },
);

Deno.test("power loss: the points are before and after each fsync", () => {
  assert.deepEqual(durabilityPoints(["mkdir", "write", "fsync", "fsync", "rename", "fsync"]), [3, 4, 5, 6]);
});
