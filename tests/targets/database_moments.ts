/**
 * Kills a restore by the clock: what a database client does in the server has no calls of ours that a sweep could stop
 * at. A child restores, is killed at a moment of its run, and the next restore has to end it.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { SavedTarget } from "#/store/model.ts";
import type { ChildTask } from "./contract_sweep.ts";
import type { ContractWorld } from "./target_contract.ts";

export interface Moments {
  readonly change: () => void;
  readonly env: Readonly<Record<string, string>>;
  /** How many moments, spread over the run. */
  readonly count: number;
  /** What must not be left on the server when the operation is over. */
  readonly leftovers: () => string;
}

/** From the changed state, kills a restore at each moment, restores again, and looks. */
export async function killedAtMoments(world: ContractWorld, moments: Moments): Promise<void> {
  const { driver, target } = world;
  const before = await world.look();
  const clean = moments.leftovers();
  const saved = await world.capture();
  moments.change();
  const changed = await world.look();
  const safety = await world.capture(saved);
  const whole = await restoreInChild(world, saved, moments.env, undefined);
  assert.deepEqual(await world.look(), before);
  for (let turn = 1; turn <= moments.count; turn++) {
    await driver.restore(target, safety, world.context());
    assert.deepEqual(await world.look(), changed);
    await restoreInChild(world, saved, moments.env, whole * turn / (moments.count + 1));
    const wanted = turn % 2 === 0 ? saved : safety;
    await driver.restore(target, wanted, world.context());
    const where = `killed at moment ${turn} of ${moments.count}`;
    assert.deepEqual(await world.look(), wanted === saved ? before : changed, where);
    await driver.finish?.(target, wanted, world.context());
    assert.equal(moments.leftovers(), clean, where);
  }
}

/** @returns how long it ran, in milliseconds */
async function restoreInChild(
  world: ContractWorld,
  saved: SavedTarget,
  env: Readonly<Record<string, string>>,
  killAfterMs: number | undefined,
): Promise<number> {
  const { scratch, folder } = world.context();
  const chunks = Object.fromEntries(
    [...world.store.chunks].map(([id, bytes]) => [id, Buffer.from(bytes).toString("base64")]),
  );
  const task: ChildTask = { target: world.target, saved, folder, scratch, env, chunks, killAt: 0 };
  Deno.writeTextFileSync(`${scratch}.task`, JSON.stringify(task));
  const main = fileURLToPath(new URL("./contract_child.ts", import.meta.url));
  const began = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--no-prompt", main, `${scratch}.task`],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  if (killAfterMs !== undefined) {
    await sleep(killAfterMs);
    try {
      child.kill("SIGKILL");
    } catch {
      // it has ended already: then nothing was killed this time
    }
  }
  const { success, signal } = await child.status;
  assert.ok(success || signal === "SIGKILL");
  return performance.now() - began;
}
