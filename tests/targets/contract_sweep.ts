/** The kill sweep of the contract: restores in a child that ends itself by SIGKILL at a given point. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { SavedTarget } from "#/store/model.ts";
import { spread, SWEEP_LEVEL } from "../support/sweep_level.ts";
import type { ContractWorld } from "./target_contract.ts";

export interface Sweep {
  readonly world: ContractWorld;
  readonly env: Readonly<Record<string, string>>;
  readonly saved: SavedTarget;
  readonly safety: SavedTarget;
}

/** What the child is told, in a file. */
export interface ChildTask {
  readonly target: ContractWorld["target"];
  readonly saved: SavedTarget;
  readonly folder: string;
  readonly scratch: string;
  readonly env: Readonly<Record<string, string>>;
  /** Content ids and their bytes in base64. */
  readonly chunks: Readonly<Record<string, string>>;
  /** The point to be killed at, counted from 1; 0: none. */
  readonly killAt: number;
}

/** A whole restore in a child: its points, in order, as text. */
export async function killPoints(sweep: Sweep): Promise<readonly string[]> {
  const { success, points, stderr } = await restoreInChild(sweep, sweep.saved, 0);
  assert.ok(success, `the restore in a child failed: ${stderr}`);
  assert.ok(points.length > 0, "the restore changes nothing");
  return points;
}

/** Starts from the changed state, kills a restore at a point, and hands over: every other time forward, else back. */
export async function sweepKills(
  sweep: Sweep,
  points: readonly string[],
  sample: number,
  forward: (point: string) => Promise<void>,
  back: (point: string) => Promise<void>,
): Promise<void> {
  const chosen = spread(points.length, SWEEP_LEVEL === "full" ? points.length : sample);
  for (const [turn, number] of chosen.entries()) {
    await back("the end"); // to the changed state
    const { success } = await restoreInChild(sweep, sweep.saved, number);
    // Points differ a little from run to run where programs work side by side: then it was simply not killed.
    const point = `${number} (${points[number - 1]}${success ? ", not reached" : ""})`;
    if (turn % 3 === 2) await back(point);
    await forward(point);
  }
}

async function restoreInChild(
  { world, env }: Sweep,
  saved: SavedTarget,
  killAt: number,
): Promise<{ success: boolean; points: readonly string[]; stderr: string }> {
  const { scratch, folder } = world.context();
  const chunks = Object.fromEntries([...world.store.chunks].map(([id, bytes]) => [id, base64(bytes)]));
  const task: ChildTask = { target: world.target, saved, folder, scratch, env, chunks, killAt };
  const file = `${scratch}.task`;
  Deno.writeTextFileSync(file, JSON.stringify(task));
  const main = fileURLToPath(new URL("./contract_child.ts", import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--no-prompt", main, file],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { signal, success, stdout, stderr } = await child.output();
  Deno.removeSync(file);
  const said = new TextDecoder().decode(stderr);
  assert.ok(success || signal === "SIGKILL", `a restore that is to be killed at ${killAt} failed: ${said}`);
  const points = new TextDecoder().decode(stdout).split("\n").filter((it) => it !== "");
  return { success, points, stderr: said };
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text);
}
