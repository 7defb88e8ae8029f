/**
 * SIGKILL before every changing call of every operation, and of its recovery, twice over. Here a sample; with
 * `BACKOUT_SWEEP=wide` every call of the operations, and with `full` also those of their recoveries (of some operations
 * every `stride`-th).
 */
import assert from "node:assert/strict";
import { tempDir } from "../support/temp.ts";
import { testRequiring } from "../support/require.ts";
import { atLevel, SWEEP_LEVEL, SWEPT } from "../support/sweep_level.ts";
import type { CrashSweepOptions } from "./crash_sweep.ts";
import { OPERATIONS, type SweepOperation } from "./operations.ts";
import { describeCounts, sweepInParallel } from "./parallel_sweep.ts";
import { buildProgram } from "./program.ts";

function optionsFor(operation: SweepOperation): CrashSweepOptions {
  return atLevel<CrashSweepOptions>({
    sample: { every: 41, pairs: 31, triples: 0 },
    wide: { every: 1, pairs: 7 * operation.stride, triples: 0 },
    full: { every: 1, pairs: operation.stride, triples: 100 },
  });
}

testRequiring(
  ["posix"],
  `crash sweep: ${SWEPT}, then the next command`,
  async (t) => {
    await using temp = tempDir("backout-sweep-program-");
    const program = buildProgram(temp.path);
    for (const operation of OPERATIONS) {
      await t.step(operation.name, async () => {
        const counts = await sweepInParallel(operation, optionsFor(operation), {
          jobs: SWEEP_LEVEL === "sample" ? 1 : 2,
          program,
        });
        console.log(`${operation.name}: ${describeCounts(counts)}`);
        assert.ok(counts.points > 0, "no point was tried");
        assert.equal(counts.failures.length, 0, counts.failures.slice(0, 5).join("\n"));
      });
    }
  },
);
