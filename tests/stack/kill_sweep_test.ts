/**
 * backout is killed at its points, or the engine is, while a stack goes back to a snapshot: the next command brings it to
 * the state before or the state after, every time. A sample here; every point with `BACKOUT_SWEEP=full`.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { ExitCode } from "#/core/errors.ts";
import { impliedTargets, recoverWorkspace, restoreSnapshot, type WorkspaceOptions } from "#/snapshot/mod.ts";
import { chosen } from "../snapshot/sweep.ts";
import { inheritedEnvironment } from "../support/cli.ts";
import { testRequiring } from "../support/require.ts";
import { Shop, type ShopState } from "./shop.ts";
import { shopOptions } from "./shop_options.ts";

const KILLS = 3;
const ENGINE_KILLS = 3;

testRequiring(
  ["root", "docker", "redis"],
  "a stack on docker: backout or the engine is killed in the middle of a restore: before or after, every time",
  async () => {
    await using shop = await Shop.open("docker", { database: false });
    const sweep = await Sweep.begin(shop);
    const found: string[] = [];
    // The first points are those of opening; from the safety snapshot on things are interesting.
    for (const point of chosen(sweep.points.length, KILLS)) found.push(await sweep.kill(point, ["backout"]));
    assert.ok(found.includes("before"), found.join());
    for (const point of chosen(sweep.points.length, ENGINE_KILLS + 2).slice(1, -1)) {
      found.push(await sweep.kill(point, shop.engine.killCommand));
    }
    console.log(`${sweep.points.length} points; ended ${found.join(", ")}`);
  },
);

class Sweep {
  private constructor(
    readonly shop: Shop,
    readonly before: ShopState,
    readonly after: ShopState,
    readonly points: readonly string[],
  ) {}

  /** Takes the points `good` and `bad`, and sees what a whole restore does. */
  static async begin(shop: Shop): Promise<Sweep> {
    const after = await shop.look();
    await shop.json(0, "snapshot", "create", "--include-volumes", "--id", "good");
    await shop.deployBroken();
    const before = await shop.look();
    assert.notDeepEqual(before, after);
    await shop.json(0, "snapshot", "create", "--include-volumes", "--id", "bad");
    const { points, code, said } = await child(shop, 0, ["backout"]);
    assert.equal(code, 0, said);
    assert.deepEqual(await shop.look(), after);
    return new Sweep(shop, before, after, points);
  }

  /** From the state before: the victim dies at a point; then a recovery. */
  async kill(point: number, victim: readonly string[]): Promise<"before" | "after"> {
    const { shop } = this;
    const where = `${
      victim[0] === "backout" ? "backout" : "the engine"
    } killed at ${point} of ${this.points.length} (${this.points[point - 1]})`;
    await this.#restore("bad");
    assert.deepEqual(await shop.look(), this.before, `${where}: the state before could not be made`);
    const { said } = await child(shop, point, victim);
    if (victim[0] !== "backout") await shop.engine.start();
    const options = await this.#options();
    await recoverWorkspace(options);
    assert.deepEqual(this.#journals(), [], `${where}: a journal is left`);
    const now = JSON.stringify(await this.#look(`${where}: ${said}`));
    if (now === JSON.stringify(this.before)) return "before";
    assert.deepEqual(JSON.parse(now), this.after, `${where}: neither before nor after`);
    return "after";
  }

  async #look(where: string): Promise<ShopState> {
    try {
      return await this.shop.look();
    } catch (error) {
      throw new Error(`${where}: ${await this.shop.engine.docker("ps", "-a")}`, { cause: error });
    }
  }

  #journals(): readonly string[] {
    try {
      return [...Deno.readDirSync(`${this.shop.folder}/.backout/target-operations`)].map(({ name }) => name);
    } catch {
      return []; // there is no such folder
    }
  }

  async #options(): Promise<WorkspaceOptions> {
    const env = this.shop.environment();
    const options = shopOptions(this.shop.folder, (name) => env[name]);
    return { ...options, targets: await impliedTargets(options) };
  }

  async #restore(snapshot: string): Promise<void> {
    const report = await restoreSnapshot({ ...await this.#options(), snapshot });
    assert.equal(report.exit_code, ExitCode.done, report.summary);
  }
}

async function child(
  shop: Shop,
  at: number,
  victim: readonly string[],
): Promise<{ readonly code: number; readonly points: readonly string[]; readonly said: string }> {
  const main = fileURLToPath(new URL("./kill_child.ts", import.meta.url));
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--no-prompt", main, shop.folder, "good", String(at), ...victim],
    clearEnv: true,
    env: { ...inheritedEnvironment(), ...shop.engine.env },
    stdin: "null",
  }).output();
  const points = new TextDecoder().decode(stdout).split("\n").filter((it) => it !== "");
  return { code, points, said: new TextDecoder().decode(stderr) };
}
