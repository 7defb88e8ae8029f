/**
 * SIGKILL before every changing call of every operation, and of its recovery, twice over. Here a sample; with
 * `BACKOUT_SWEEP=full` (`deno task test:fault`) all of them (of the kills in a recovery every `stride`-th).
 */
import assert from "node:assert/strict";
import { tempDir } from "../support/temp.ts";
import { testRequiring } from "../support/require.ts";
import type { CrashSweepOptions } from "./crash_sweep.ts";
import { OPERATIONS, type SweepOperation } from "./operations.ts";
import { describeCounts, sweepInParallel } from "./parallel_sweep.ts";
import { buildProgram } from "./program.ts";

const full = Deno.env.get("BACKOUT_SWEEP") === "full";

function optionsFor(operation: SweepOperation): CrashSweepOptions {
  if (!full) return { every: 17, pairs: 21, triples: 0 };
  return { every: 1, pairs: operation.stride, triples: 100 };
}

testRequiring(
  ["posix"],
  `crash sweep: ${full ? "every point" : "a sample"}, then the next command`,
  async (t) => {
    await using temp = tempDir("backout-sweep-program-");
    const program = buildProgram(temp.path);
    for (const operation of OPERATIONS) {
      await t.step(operation.name, async () => {
        const counts = await sweepInParallel(operation, optionsFor(operation), {
          jobs: full ? 2 : 1,
          program,
        });
        console.log(`${operation.name}: ${describeCounts(counts)}`);
        assert.ok(counts.points > 0, "no point was tried");
        assert.equal(counts.failures.length, 0, counts.failures.slice(0, 5).join("\n"));
      });
    }
  },
);
