/** A move fails after the commit, and the process is killed while it takes the operation back. */
import assert from "node:assert/strict";
import { testRequiring } from "../support/require.ts";
import { atLevel, spread, SWEPT } from "../support/sweep_level.ts";
import { tempDir } from "../support/temp.ts";
import { OPERATIONS } from "./operations.ts";
import { buildProgram, runProgram } from "./program.ts";
import {
  assertInstant,
  assertWhole,
  commandOf,
  countCalls,
  makeSlot,
  restoreTemplate,
  type Slot,
} from "./slot.ts";

testRequiring(
  ["posix"],
  `compensation: killed before changing calls of it (${SWEPT}), recovery ends before`,
  async (t) => {
    await using temp = tempDir("backout-compensation-");
    const program = buildProgram(temp.path);
    for (const name of ["rollback-full", "rollback-shared", "rollback-no-backup"]) {
      await t.step(name, async () => {
        const operation = OPERATIONS.find((candidate) => candidate.name === name)!;
        const folder = `${temp.path}/${name}`;
        Deno.mkdirSync(folder);
        const slot = await makeSlot(program, operation, folder);
        const { failing, last } = await takenBack(slot);
        assert.ok(last > failing + DIRECTION_CALLS, "the compensation is more than its first step");
        const points = spread(last - failing, atLevel({ sample: 6, wide: Infinity, full: Infinity }));
        for (const point of points) await killAt(slot, failing, failing + point);
      });
    }
  },
);

interface TakenBack {
  /** The number of the call whose failure is compensated: the first move of an artifact. */
  readonly failing: number;
  /** The number of the last changing call. */
  readonly last: number;
}

/** Fails one rename after the other, until one is answered with 43: those before it are not committed yet. */
async function takenBack(slot: Slot): Promise<TakenBack> {
  for (const [i, call] of slot.calls.entries()) {
    if (call !== "rename") continue;
    restoreTemplate(slot);
    const { run, calls } = countCalls(slot, commandOf(slot), `fail:${i + 1}:EIO`);
    assert.equal(
      await assertWhole(slot, `rename ${i + 1} fails, exit ${run.code}`, { deep: true }),
      "before",
    );
    if (run.code === 43) return { failing: i + 1, last: calls.length };
  }
  assert.fail(`no failing rename is taken back: ${slot.calls.join(" ")}`);
}

async function killAt(slot: Slot, failing: number, killed: number): Promise<void> {
  restoreTemplate(slot);
  const where = `fail:${failing}:EIO,kill:${killed}`;
  const run = runProgram(slot.program, commandOf(slot), where);
  assert.ok(run.killed, `${where}: ended with ${run.code}`);
  assertInstant(slot, where);
  const recovery = runProgram(slot.program, ["recover", "-r", slot.repository, "--json"]);
  assert.equal(recovery.code, 0, `${where}: recover says ${recovery.stdout}${recovery.stderr}`);
  const ended = await assertWhole(slot, `${where}, recovered`, { deep: true });
  // Killed before it wrote down that it goes back, it is finished instead.
  assert.ok(ended === "before" || killed <= failing + DIRECTION_CALLS, `${where}: ended ${ended}`);
}

/** Changing calls until the direction is written: the temporary file and its rename. */
const DIRECTION_CALLS = 6;
