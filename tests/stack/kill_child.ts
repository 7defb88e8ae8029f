/**
 * A restore of the shop that meets its end, or the engine's, at its Nth changing call or start of a program; it prints its
 * points, one a line. Arguments: folder, snapshot, N (0: never), and `backout`, or the words of a command that ends the engine.
 */
import { setFaultHook } from "#/core/posix.ts";
import { impliedTargets, restoreSnapshot } from "#/snapshot/mod.ts";
import { shopOptions } from "./shop_options.ts";

const [folder = "", snapshot = "", at = "0", ...victim] = Deno.args;
const points: string[] = [];
const { Command } = Deno;

function point(what: string): void {
  points.push(what);
  if (points.length !== Number(at)) return;
  if (victim[0] === "backout") Deno.kill(Deno.pid, "SIGKILL");
  const [program = "", ...args] = victim;
  new Command(program, { args }).outputSync();
}

class CountingCommand extends Command {
  readonly #name: string;
  constructor(command: string | URL, options?: Deno.CommandOptions) {
    super(command, options);
    this.#name = `${String(command)} ${options?.args?.join(" ") ?? ""}`.replaceAll("\n", " ").slice(0, 80);
  }
  override spawn(): Deno.ChildProcess {
    point(`start ${this.#name}`);
    return super.spawn();
  }
}
Object.defineProperty(Deno, "Command", { value: CountingCommand });
setFaultHook((call, path) => point(`${call} ${path}`));

const options = shopOptions(folder, (name) => Deno.env.get(name));
const report = await restoreSnapshot({
  ...options,
  targets: await impliedTargets(options),
  snapshot,
});
console.log(points.join("\n"));
if (report.exit_code !== 0) {
  console.error(`exit ${report.exit_code}: ${report.summary}`);
  Deno.exit(1);
}
