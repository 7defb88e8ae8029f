/**
 * Kills an operation before every changing call, then the recovery of that before every changing call, then the second
 * recovery too, and looks each time whether the repository ends before or after, with nothing lost and nothing left over.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { listReleases } from "#/mod.ts";
import type { SweepOperation } from "./operations.ts";
import { killPoints, type Program, runProgram } from "./program.ts";
import {
  assertInstant,
  assertWhole,
  bringBack,
  commandOf,
  countCalls,
  keepAside,
  makeSlot,
  recoverHere,
  restoreTemplate,
  type Slot,
} from "./slot.ts";
import { PROBE_CHANNEL } from "./state.ts";

export interface CrashSweepOptions {
  /** Kill at every n-th point. @default 1 */
  readonly every?: number;
  /** Of the recovery's points every n-th; 0 for none. @default 1 */
  readonly pairs?: number;
  /** Of the pairs, every n-th gets a third kill at each point of the second recovery; 0 for none. @default 0 */
  readonly triples?: number;
  /** This share of the points: `index` of `count`, from 0. */
  readonly shard?: { readonly index: number; readonly count: number };
  /** Only this point, and of the recovery only this one. */
  readonly point?: number;
  readonly second?: number;
  readonly third?: number;
}

export interface SweepCounts {
  points: number;
  pairs: number;
  triples: number;
  /** How often the state ended before, and after. */
  before: number;
  after: number;
  failures: string[];
}

const RECOVER = ["recover", "--json"];

export async function crashSweep(
  program: Program,
  operation: SweepOperation,
  folder: string,
  options: CrashSweepOptions = {},
): Promise<SweepCounts> {
  const slot = await makeSlot(program, operation, folder);
  const counts: SweepCounts = { points: 0, pairs: 0, triples: 0, before: 0, after: 0, failures: [] };
  for (const point of chosenPoints(slot, options)) {
    await guarded(counts, operation, [point], async () => {
      counts.points += 1;
      await crashOnce(slot, counts, options, point);
    });
  }
  return counts;
}

function chosenPoints(slot: Slot, options: CrashSweepOptions): readonly number[] {
  if (options.point !== undefined) return [options.point];
  const { index, count } = options.shard ?? { index: 0, count: 1 };
  return killPoints(slot.calls).filter((_point, i) => i % (options.every ?? 1) === 0)
    .filter((_point, i) => i % count === index);
}

/** Level one: the operation dies at `point`. */
async function crashOnce(
  slot: Slot,
  counts: SweepCounts,
  options: CrashSweepOptions,
  point: number,
): Promise<void> {
  restoreTemplate(slot);
  const run = runProgram(slot.program, commandOf(slot), `kill:${point}`);
  assert.ok(run.killed, `not killed but exit ${run.code}: ${run.stdout}${run.stderr}`);
  const where = `killed before call ${point} of ${slot.calls.length} (${slot.calls[point - 1]})`;
  assertInstant(slot, where);
  await listReleases({ repository: slot.repository }); // reading goes on, recovered or not
  keepAside(slot, "crashed");

  const recovery = countCalls(slot, [...RECOVER, "-r", slot.repository]);
  assert.equal(recovery.run.code, 0, `${where}: recover says ${recovery.run.stdout}${recovery.run.stderr}`);
  counts[await assertWhole(slot, `${where}, recovered`, { deep: true })] += 1;
  await assertNextWriterWorks(slot, where);
  if (options.pairs === 0) return;

  const seconds = options.second !== undefined ? [options.second] : killPoints(recovery.calls)
    .filter((_second, i) => (i + point) % (options.pairs ?? 1) === 0);
  for (const second of seconds) {
    await guarded(counts, slot.operation, [point, second], async () => {
      counts.pairs += 1;
      await crashRecovery(slot, counts, options, where, point, second);
    });
  }
}

/** The next command that writes recovers by itself, without being asked. */
async function assertNextWriterWorks(slot: Slot, where: string): Promise<void> {
  bringBack(slot, "crashed");
  const argv = ["channel", "set", PROBE_CHANNEL, "v1.0.0", "-r", slot.repository, "--json"];
  const run = runProgram(slot.program, argv);
  assert.equal(run.code, 0, `${where}: the next writing command says ${run.stdout}${run.stderr}`);
  await assertWhole(slot, `${where}, then the next writing command`, { deep: false });
  const index = JSON.parse(Deno.readTextFileSync(join(slot.repository, "index.json")));
  assert.equal(index.channels?.[PROBE_CHANNEL]?.version, "v1.0.0", `${where}: the next command did nothing`);
}

/** Level two: the recovery dies at `second`. */
async function crashRecovery(
  slot: Slot,
  counts: SweepCounts,
  options: CrashSweepOptions,
  first: string,
  point: number,
  second: number,
): Promise<void> {
  bringBack(slot, "crashed");
  const run = runProgram(slot.program, [...RECOVER, "-r", slot.repository], `kill:${second}`);
  assert.ok(run.killed, `${first}: the recovery was not killed at ${second} but exit ${run.code}`);
  const where = `${first}, recovery killed before call ${second}`;
  assertInstant(slot, where);
  const chosen = options.third !== undefined ||
    ((options.triples ?? 0) > 0 && counts.pairs % options.triples! === 0);
  if (chosen) keepAside(slot, "crashed-twice");
  await recoverHere(slot);
  await assertWhole(slot, `${where}, recovered`, { deep: false });
  if (chosen) await crashTwice(slot, counts, options, where, point, second);
}

/** Level three: the second recovery dies as well, at each of its points. */
async function crashTwice(
  slot: Slot,
  counts: SweepCounts,
  options: CrashSweepOptions,
  first: string,
  point: number,
  second: number,
): Promise<void> {
  bringBack(slot, "crashed-twice");
  const { calls } = countCalls(slot, [...RECOVER, "-r", slot.repository]);
  const thirds = options.third !== undefined ? [options.third] : killPoints(calls);
  for (const third of thirds) {
    await guarded(counts, slot.operation, [point, second, third], async () => {
      counts.triples += 1;
      bringBack(slot, "crashed-twice");
      const run = runProgram(slot.program, [...RECOVER, "-r", slot.repository], `kill:${third}`);
      assert.ok(run.killed, `${first}: the second recovery was not killed at ${third}`);
      const where = `${first}, second recovery killed before call ${third}`;
      assertInstant(slot, where);
      await recoverHere(slot);
      await assertWhole(slot, `${where}, recovered`, { deep: false });
    });
  }
}

/** Records a failure with the command that shows it again, and goes on. */
async function guarded(
  counts: SweepCounts,
  operation: SweepOperation,
  points: readonly number[],
  body: () => Promise<void>,
): Promise<void> {
  try {
    await body();
  } catch (error) {
    const flags = ["--point", "--second", "--third"];
    const which = points.map((point, i) => `${flags[i]} ${point}`).join(" ");
    counts.failures.push(
      `${
        error instanceof Error ? error.message : error
      }\n  again: deno task sweep ${operation.name} ${which} --keep`,
    );
  }
}
