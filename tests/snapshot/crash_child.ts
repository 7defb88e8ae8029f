/**
 * An operation that kills itself before its Nth changing call or start of a program; it prints its points, one a line.
 * Arguments: world, folder, N (0: never), and `create ID`, `restore ID`, `wait ID` (a restore that waits for its
 * confirmation), `confirm`, `revert` or `recover`.
 */
import { setFaultHook } from "#/core/posix.ts";
import type { OperationReport } from "#/report/model.ts";
import {
  confirmRestore,
  createSnapshot,
  recoverWorkspace,
  restoreSnapshot,
  revertUnconfirmed,
} from "#/snapshot/mod.ts";
import { openCrashWorld } from "./crash_worlds.ts";

const [world = "", folder = "", killAt = "0", action = "", id = ""] = Deno.args;
const points: string[] = [];

function point(what: string): void {
  points.push(what);
  if (points.length === Number(killAt)) Deno.kill(Deno.pid, "SIGKILL");
}

const { Command } = Deno;
class KillingCommand extends Command {
  readonly #name: string;
  constructor(command: string | URL, options?: Deno.CommandOptions) {
    super(command, options);
    this.#name = `${String(command)} ${options?.args?.join(" ") ?? ""}`.replaceAll("\n", " ").slice(0, 100);
  }
  override spawn(): Deno.ChildProcess {
    point(`start ${this.#name}`);
    return super.spawn();
  }
}
Object.defineProperty(Deno, "Command", { value: KillingCommand });
setFaultHook((call, path) => point(`${call} ${path}`));

const options = openCrashWorld(world, folder);
const report = await run();
if (report !== undefined && report.exit_code !== 0 && action !== "revert") {
  console.error(`exit ${report.exit_code}: ${report.summary}`);
  Deno.exit(1);
}
Deno.stdout.writeSync(new TextEncoder().encode(points.join("\n")));

async function run(): Promise<OperationReport | undefined> {
  switch (action) {
    case "create":
      return await createSnapshot({ ...options, id });
    case "restore":
      return await restoreSnapshot({ ...options, snapshot: id });
    case "wait":
      return await restoreSnapshot({ ...options, snapshot: id, confirmWithinMs: 3_600_000 });
    case "confirm":
      return await confirmRestore(options);
    case "revert":
      return await revertUnconfirmed(options);
    case "recover":
      await recoverWorkspace(options);
      return undefined;
    default:
      throw new Error(`unknown action ${action}`);
  }
}
