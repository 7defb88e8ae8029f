/** EIO and ENOSPC from changing calls: a sample of them, more, or all, by the level of the sweep. */
import assert from "node:assert/strict";
import { testRequiring } from "../support/require.ts";
import { atLevel, SWEEP_LEVEL, SWEPT } from "../support/sweep_level.ts";
import { tempDir } from "../support/temp.ts";
import { OPERATIONS } from "./operations.ts";
import { describeCounts, sweepInParallel } from "./parallel_sweep.ts";
import { buildProgram } from "./program.ts";

testRequiring(["posix"], `failure sweep: calls fail, ${SWEPT}`, async (t) => {
  await using temp = tempDir("backout-failures-");
  const program = buildProgram(temp.path);
  for (const operation of OPERATIONS) {
    await t.step(operation.name, async () => {
      const options = { every: atLevel({ sample: 47, wide: 3, full: 1 }) };
      const counts = await sweepInParallel(operation, options, {
        jobs: SWEEP_LEVEL === "sample" ? 1 : 2,
        program,
        kind: "failures",
      });
      console.log(`${operation.name}: ${describeCounts(counts)}`);
      assert.ok(counts.points > 0, "no call was tried");
      assert.equal(counts.failures.length, 0, counts.failures.slice(0, 5).join("\n"));
    });
  }
});
