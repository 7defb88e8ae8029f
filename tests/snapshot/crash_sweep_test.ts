/**
 * SIGKILL before the changing calls of a restore of three targets, and of its recovery: it ends before or after, every
 * time. Here a sample; more with `BACKOUT_SWEEP=wide`; with `full` every point, and after every fifth of them every
 * fifth point of the recovery.
 */
import assert from "node:assert/strict";
import type { Capability } from "../support/require.ts";
import { testRequiring } from "../support/require.ts";
import { spread, SWEEP_LEVEL } from "../support/sweep_level.ts";
import { tempDir } from "../support/temp.ts";
import { chosen, Sweep } from "./sweep.ts";

const SAMPLE = 7;
/** Of the kills of a sample every so-manieth gets one in its recovery, too. */
const PAIRS_EVERY = 3;
const PAIR_STRIDE = 5;
const FULL_PAIRS_EVERY = 5;
const full = SWEEP_LEVEL === "full";

const CASES: readonly { readonly world: string; readonly needs: readonly Capability[] }[] = [
  { world: "text", needs: ["posix"] },
  { world: "real", needs: ["posix", "git"] },
];

for (const { world, needs } of CASES) {
  testRequiring(
    needs,
    `crash sweep of a restore (${world} targets): before or after, every time`,
    async () => {
      await using temp = tempDir("backout-restore-sweep-");
      const sweep = await Sweep.begin(world, temp.path);
      const counts = { before: 0, after: 0, pairs: 0 };
      for (const [turn, point] of chosen(sweep.points.length, SAMPLE).entries()) {
        sweep.reset();
        const run = sweep.child(point, ["restore", sweep.id]);
        const where = `${world}: killed before ${point} of ${sweep.points.length} (${
          sweep.points[point - 1]
        })`;
        if (!run.killed) continue; // captures run side by side: a run may have a point less
        const pairs = turn % (full ? FULL_PAIRS_EVERY : PAIRS_EVERY) === 1;
        if (pairs) sweep.keep("crashed");
        counts[await sweep.recovered(where)] += 1;
        await sweep.assertGoesOn(where);
        if (pairs) counts.pairs += await crashRecovery(sweep, where, turn);
      }
      assert.ok(counts.before > 0 && counts.after > 0, JSON.stringify(counts));
      console.log(`${world}: ${sweep.points.length} points, ${JSON.stringify(counts)}`);
    },
  );
}

/** Kills the recovery, too: the next one goes on in the same direction. */
async function crashRecovery(sweep: Sweep, first: string, turn: number): Promise<number> {
  sweep.bringBack("crashed");
  const { points } = sweep.child(0, ["recover"]);
  const seconds = full
    ? points.map((_, i) => i + 1).filter((point) => (point + turn) % PAIR_STRIDE === 0)
    : spread(points.length, 2);
  for (const second of seconds) {
    sweep.bringBack("crashed");
    const { killed } = sweep.child(second, ["recover"]);
    const where = `${first}, its recovery killed before ${second} of ${points.length} (${
      points[second - 1]
    })`;
    if (killed) await sweep.recovered(where);
  }
  return seconds.length;
}
