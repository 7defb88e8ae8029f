/** A world that is killed at its points, kept aside, brought back, and recovered. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { recoverWorkspace, type WorkspaceOptions } from "#/snapshot/mod.ts";
import { atLevel, spread } from "../support/sweep_level.ts";
import { CRASH_WORLDS } from "./crash_worlds.ts";
import { journals, restoring, taken } from "./world.ts";

/** Numbers from 1 to `count`, from the first to the last: by the level of the sweep a sample, more, or all of them. */
export function chosen(count: number, sample: number): readonly number[] {
  return spread(count, atLevel({ sample, wide: 5 * sample, full: count }));
}

export class Sweep {
  readonly #world: string;
  readonly #root: string;
  readonly #here: string;
  id = "";
  points: readonly string[] = [];
  #before: unknown;
  #after: unknown;

  private constructor(world: string, root: string) {
    this.#world = world;
    this.#root = root;
    this.#here = join(root, "here");
  }

  /** Sets the world up, changes it, and sees what a whole restore does. */
  static async begin(name: string, root: string): Promise<Sweep> {
    const sweep = new Sweep(name, root);
    const world = CRASH_WORLDS[name]!;
    Deno.mkdirSync(sweep.#here);
    world.setUp(sweep.#here);
    sweep.#after = world.look(sweep.#here);
    sweep.id = await taken(world.open(sweep.#here));
    world.change(sweep.#here);
    sweep.#before = world.look(sweep.#here);
    assert.notDeepEqual(sweep.#before, sweep.#after);
    sweep.keep("template");
    const whole = sweep.child(0, ["restore", sweep.id]);
    assert.deepEqual(world.look(sweep.#here), sweep.#after);
    sweep.points = whole.points;
    return sweep;
  }

  reset(): void {
    this.bringBack("template");
    CRASH_WORLDS[this.#world]!.settle?.(this.#here);
  }

  keep(name: string): void {
    copy(this.#here, join(this.#root, name));
  }

  bringBack(name: string): void {
    copy(join(this.#root, name), this.#here);
  }

  child(killAt: number, action: readonly string[]): { killed: boolean; points: readonly string[] } {
    const main = fileURLToPath(new URL("./crash_child.ts", import.meta.url));
    const { code, signal, stdout, stderr } = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--no-prompt", main, this.#world, this.#here, `${killAt}`, ...action],
      stdin: "null",
    }).outputSync();
    const killed = signal === "SIGKILL";
    assert.ok(killed || code === 0, new TextDecoder().decode(stderr));
    return { killed, points: new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "") };
  }

  /** The workspace as it is opened in this process. */
  options(): WorkspaceOptions {
    return CRASH_WORLDS[this.#world]!.open(this.#here);
  }

  /** Recovers here, and says how it ended. @param now the clock of the recovery */
  async recovered(where: string, now: () => Date = () => new Date()): Promise<"before" | "after"> {
    const world = CRASH_WORLDS[this.#world]!;
    try {
      await recoverWorkspace({ ...this.options(), now });
    } catch (error) {
      throw new Error(`${where}: the recovery failed: ${error instanceof Error ? error.message : error}`);
    }
    this.assertNoJournal(where);
    const found = JSON.stringify(world.look(this.#here));
    if (found === JSON.stringify(this.#before)) return "before";
    assert.deepEqual(world.look(this.#here), this.#after, `${where}: neither before nor after`);
    return "after";
  }

  assertNoJournal(where: string): void {
    assert.deepEqual(journals(this.#here), [], `${where}: a journal is left`);
  }

  /** The same restore works now. */
  async assertGoesOn(where: string): Promise<void> {
    const world = CRASH_WORLDS[this.#world]!;
    const report = await restoring(world.open(this.#here), this.id);
    assert.equal(report.exit_code, 0, `${where}: then ${report.summary}`);
    assert.deepEqual(world.look(this.#here), this.#after, where);
  }
}

function copy(from: string, to: string): void {
  try {
    Deno.removeSync(to, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const { success } = new Deno.Command("cp", { args: ["-a", from, to] }).outputSync();
  assert.ok(success);
}
