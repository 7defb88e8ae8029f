/**
 * Cuts the power at every durability point: on a loop-mounted ext4 the operation stops before (and after) each fsync,
 * the filesystem drops what is not durable, is mounted again, and the next command recovers.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { makeImage, mountImage } from "../support/loop_mount.ts";
import type { SweepCounts } from "./crash_sweep.ts";
import type { SweepOperation } from "./operations.ts";
import { type Program, runProgram } from "./program.ts";
import { assertWhole, commandOf, countCalls, makeSlot, type Slot } from "./slot.ts";

export interface PowerLossOptions {
  /** Every n-th durability point. @default 1 */
  readonly every?: number;
  readonly point?: number;
  /** Also cut the power in the middle of the recovery, at every n-th of its points; 0 for none. @default 0 */
  readonly pairs?: number;
}

const MEGABYTES = 24;

/** The point after the last call: the operation reported success, and must be there when the power comes back. */
const END = 0;

export async function powerLossSweep(
  program: Program,
  operation: SweepOperation,
  folder: string,
  options: PowerLossOptions = {},
): Promise<SweepCounts> {
  const paths = { image: join(folder, "image"), template: join(folder, "template"), at: join(folder, "mnt") };
  makeImage(paths.template, { megabytes: MEGABYTES });
  let slot: Slot;
  {
    using mounted = mountImage(paths.template, paths.at);
    slot = await makeSlot(program, operation, mounted.at);
  }
  const counts: SweepCounts = { points: 0, pairs: 0, triples: 0, before: 0, after: 0, failures: [] };
  const chosen = options.point === undefined
    ? [...durabilityPoints(slot.calls).filter((_point, i) => i % (options.every ?? 1) === 0), END]
    : [options.point];
  for (const point of chosen) {
    for (const flushLog of [false, true]) {
      counts.points += 1;
      try {
        await cutPower(slot, paths, counts, { point, flushLog, pairs: options.pairs ?? 0 });
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        counts.failures.push(
          `${message}\n  again: deno task sweep ${operation.name} --power-loss --point ${point}`,
        );
      }
    }
  }
  return counts;
}

/** Just before and just after each fsync. */
export function durabilityPoints(calls: readonly string[]): readonly number[] {
  const points = calls.flatMap((call, i) => call === "fsync" ? [i + 1, i + 2] : []);
  return [...new Set(points)].filter((point) => point <= calls.length);
}

interface Paths {
  readonly image: string;
  readonly template: string;
  readonly at: string;
}

interface Cut {
  readonly point: number;
  /** The journal of the filesystem still reaches the disk, file data does not. */
  readonly flushLog: boolean;
  readonly pairs: number;
}

async function cutPower(slot: Slot, paths: Paths, counts: SweepCounts, cut: Cut): Promise<void> {
  const when = cut.point === END
    ? "after the reported success"
    : `before call ${cut.point} of ${slot.calls.length} (${slot.calls[cut.point - 1]})`;
  const where = `power lost ${when}${cut.flushLog ? ", log flushed" : ""}`;
  Deno.copyFileSync(paths.template, paths.image);
  {
    using mounted = mountImage(paths.image, paths.at);
    const run = runProgram(slot.program, commandOf(slot), `kill:${cut.point}`);
    if (cut.point === END) assert.equal(run.code, 0, `${where}: ${run.stdout}${run.stderr}`);
    else assert.ok(run.killed, `${where}: not killed but exit ${run.code}: ${run.stdout}${run.stderr}`);
    mounted.powerOff({ flushLog: cut.flushLog });
  }
  if (cut.pairs > 0) Deno.copyFileSync(paths.image, `${paths.image}.crashed`);
  const { calls, ended } = await recoverAndCheck(slot, paths, counts, where);
  if (cut.point === END) assert.equal(ended, "after", `${where}: what was reported is gone`);
  const seconds = durabilityPoints(calls).filter((_it, i) =>
    cut.pairs > 0 && (i + cut.point) % cut.pairs === 0
  );
  for (const second of seconds) {
    counts.pairs += 1;
    Deno.copyFileSync(`${paths.image}.crashed`, paths.image);
    {
      using mounted = mountImage(paths.image, paths.at);
      const run = runProgram(slot.program, recover(slot), `kill:${second}`);
      assert.ok(run.killed, `${where}: the recovery was not killed at ${second}`);
      mounted.powerOff({ flushLog: cut.flushLog });
    }
    await recoverAndCheck(slot, paths, counts, `${where}, again in the recovery before call ${second}`);
  }
}

async function recoverAndCheck(
  slot: Slot,
  paths: Paths,
  counts: SweepCounts,
  where: string,
): Promise<{ readonly calls: readonly string[]; readonly ended: "before" | "after" }> {
  using _mounted = mountImage(paths.image, paths.at);
  const { run, calls } = countCalls(slot, recover(slot));
  assert.equal(run.code, 0, `${where}: recover says ${run.stdout}${run.stderr}`);
  const ended = await assertWhole(slot, `${where}, recovered`, { deep: true });
  counts[ended] += 1;
  return { calls, ended };
}

function recover(slot: Slot): readonly string[] {
  return ["recover", "-r", slot.repository, "--json"];
}
