/** The power goes at each durability point of the operations that move artifacts. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { testRequiring } from "../support/require.ts";
import { atLevel } from "../support/sweep_level.ts";
import { tempDir } from "../support/temp.ts";
import { OPERATIONS } from "./operations.ts";
import { describeCounts } from "./parallel_sweep.ts";
import { durabilityPoints, powerLossSweep } from "./power_loss_sweep.ts";
import { buildProgram } from "./program.ts";

const SWEPT = ["publish", "rollback-full", "rollback-shared", "rollback-to", "restore"];

testRequiring(["root", "loop", "xfs_io"], "power loss: at each durability point, then recover", async (t) => {
  await using temp = tempDir("backout-power-");
  const program = buildProgram(join(temp.path, "program"));
  for (const operation of OPERATIONS.filter((it) => SWEPT.includes(it.name))) {
    await t.step(operation.name, async () => {
      const folder = join(temp.path, operation.name);
      Deno.mkdirSync(folder);
      const options = atLevel({
        sample: { every: 13, pairs: 0 },
        wide: { every: 2, pairs: 0 },
        full: { every: 1, pairs: 60 },
      });
      const counts = await powerLossSweep(program, operation, folder, options);
      console.log(`${operation.name}: ${describeCounts(counts)}`);
      assert.ok(counts.points > 0, "no point was tried");
      assert.equal(counts.failures.length, 0, counts.failures.slice(0, 5).join("\n"));
    });
  }
});

Deno.test("power loss: the points are before and after each fsync", () => {
  assert.deepEqual(durabilityPoints(["mkdir", "write", "fsync", "fsync", "rename", "fsync"]), [3, 4, 5, 6]);
});
