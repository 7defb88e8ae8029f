/**
 * SIGKILL before every changing call of every operation, and of its recovery, twice over. Here a sample; with
 * `BACKOUT_SWEEP=full` (`deno task test:fault`) all of them.
 */
import assert from "node:assert/strict";
import { tempDir } from "../support/temp.ts";
import { testRequiring } from "../support/require.ts";
import type { CrashSweepOptions } from "./crash_sweep.ts";
import { OPERATIONS } from "./operations.ts";
import { describeCounts, sweepInParallel } from "./parallel_sweep.ts";
import { buildProgram } from "./program.ts";

const full = Deno.env.get("BACKOUT_SWEEP") === "full";
const options: CrashSweepOptions = full
  ? { every: 1, pairs: 1, triples: 40 }
  : { every: 7, pairs: 11, triples: 0 };

testRequiring(
  ["posix"],
  `crash sweep: ${full ? "every point" : "a sample"}, then the next command`,
  async (t) => {
    await using temp = tempDir("backout-sweep-program-");
    const program = buildProgram(temp.path);
    for (const operation of OPERATIONS) {
      await t.step(operation.name, async () => {
        const counts = await sweepInParallel(operation, options, { jobs: full ? 2 : 1, program });
        console.log(`${operation.name}: ${describeCounts(counts)}`);
        assert.ok(counts.points > 0, "no point was tried");
        assert.equal(counts.failures.length, 0, counts.failures.slice(0, 5).join("\n"));
      });
    }
  },
);
