/** Fails every changing call of an operation, once or from then on, and looks what the user is left with. */
import assert from "node:assert/strict";
import type { CrashSweepOptions, SweepCounts } from "./crash_sweep.ts";
import type { SweepOperation } from "./operations.ts";
import { type Program, runProgram } from "./program.ts";
import {
  assertInstant,
  assertWhole,
  commandOf,
  makeSlot,
  recoverHere,
  restoreTemplate,
  type Slot,
} from "./slot.ts";

/** What the contract has for an operation that meets a failing disk. */
const ALLOWED_CODES = [0, 43, 44, 45, 47, 48, 49, 52, 53];

/** A call that fails once, and a disk that is full (or gone) from a moment on. */
const FAULTS = ["fail:K:EIO", "failfrom:K:ENOSPC"];

export async function failureSweep(
  program: Program,
  operation: SweepOperation,
  folder: string,
  options: CrashSweepOptions = {},
): Promise<SweepCounts> {
  const slot = await makeSlot(program, operation, folder);
  const counts: SweepCounts = { points: 0, pairs: 0, triples: 0, before: 0, after: 0, failures: [] };
  const { index, count } = options.shard ?? { index: 0, count: 1 };
  const all = slot.calls.map((_call, i) => i + 1).filter((_point, i) => i % (options.every ?? 1) === 0);
  const points = options.point === undefined
    ? all.filter((_point, i) => i % count === index)
    : [options.point];
  for (const point of points) {
    for (const fault of FAULTS.map((it) => it.replace("K", String(point)))) {
      counts.points += 1;
      try {
        counts[await failOnce(slot, fault, slot.calls[point - 1] ?? "")] += 1;
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        counts.failures.push(
          `${message}\n  again: deno task sweep ${operation.name} --failures --point ${point} --keep`,
        );
      }
    }
  }
  return counts;
}

async function failOnce(slot: Slot, fault: string, call: string): Promise<"before" | "after"> {
  restoreTemplate(slot);
  const run = runProgram(slot.program, commandOf(slot), fault);
  const where = `${fault} (${call} of ${slot.calls.length} calls), exit ${run.code}`;
  assert.ok(ALLOWED_CODES.includes(run.code), `${where} is not in the contract: ${run.stdout}${run.stderr}`);
  assertInstant(slot, where);
  assertOneDocument(run.stdout, run.code, where);
  // What could not be audited stays in the journal until the next command, and the report says so.
  const recorded = (JSON.parse(run.stdout) as { audit_log_created?: boolean }).audit_log_created === true;
  const atOnce = recorded && (run.code === 0 || run.code === 43);
  if (atOnce && !fault.startsWith("failfrom")) {
    const ended = await assertWhole(slot, where, { deep: false, temporary: "allowed" });
    assert.equal(ended, run.code === 0 ? "after" : "before", `${where}, but the state is the other one`);
  }
  await recoverHere(slot);
  const ended = await assertWhole(slot, `${where}, recovered`, { deep: true });
  if (run.code === 0) assert.equal(ended, "after", `${where}: reported success, but the state is as before`);
  if (run.code === 43) assert.equal(ended, "before", `${where}: reported as taken back, but it happened`);
  return ended;
}

/** With `--json` there is one document on standard output, and it tells the truth about the exit code. */
function assertOneDocument(stdout: string, code: number, where: string): void {
  let document: { exit_code?: number; error?: { code?: number } };
  try {
    document = JSON.parse(stdout);
  } catch {
    assert.fail(`${where}: standard output is not one JSON document: ${stdout.slice(0, 300)}`);
  }
  assert.equal(
    document.exit_code ?? document.error?.code,
    code,
    `${where}: the document names another exit code`,
  );
}
