/** EIO and ENOSPC from every changing call. Here a sample; with `BACKOUT_SWEEP=full` all of them. */
import assert from "node:assert/strict";
import { testRequiring } from "../support/require.ts";
import { tempDir } from "../support/temp.ts";
import { OPERATIONS } from "./operations.ts";
import { describeCounts, sweepInParallel } from "./parallel_sweep.ts";
import { buildProgram } from "./program.ts";

const full = Deno.env.get("BACKOUT_SWEEP") === "full";

testRequiring(["posix"], `failure sweep: ${full ? "every call" : "a sample of calls"} fails`, async (t) => {
  await using temp = tempDir("backout-failures-");
  const program = buildProgram(temp.path);
  for (const operation of OPERATIONS) {
    await t.step(operation.name, async () => {
      const options = { every: full ? 1 : 19 };
      const counts = await sweepInParallel(operation, options, {
        jobs: full ? 2 : 1,
        program,
        kind: "failures",
      });
      console.log(`${operation.name}: ${describeCounts(counts)}`);
      assert.ok(counts.points > 0, "no call was tried");
      assert.equal(counts.failures.length, 0, counts.failures.slice(0, 5).join("\n"));
    });
  }
});
