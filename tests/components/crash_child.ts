/**
 * A command that kills itself before its Nth changing call, before its Nth start of a program, or right after it (the
 * program then goes on alone). Arguments: folder, N (0: never), the command's words. Prints its points, one a line.
 */
import { setFaultHook } from "#/core/posix.ts";
import { run } from "#/command/run.ts";

const [folder = "", killAt = "0", ...words] = Deno.args;
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
    this.#name = `${String(command)} ${options?.args?.join(" ") ?? ""}`.replaceAll("\n", " ").slice(0, 160);
  }
  override spawn(): Deno.ChildProcess {
    point(`before ${this.#name}`);
    const child = super.spawn();
    point(`after the start of ${this.#name}`);
    return child;
  }
}
Object.defineProperty(Deno, "Command", { value: KillingCommand });
setFaultHook((call, path) => point(`${call} ${path}`));

let stderr = "";
const code = await run(words, {
  stdout: { write: () => {}, isTerminal: false, width: 100 },
  stderr: { write: (text) => void (stderr += text), isTerminal: false, width: 100 },
  stdinIsTerminal: false,
  readLine: () => Promise.resolve(undefined),
  env: (name) => ({ PATH: Deno.env.get("PATH")!, HOME: folder } as Record<string, string>)[name],
  cwd: `${folder}/meta`,
  signal: new AbortController().signal,
});
if (code !== 0) {
  console.error(`exit ${code}: ${stderr}`);
  Deno.exit(1);
}
Deno.stdout.writeSync(new TextEncoder().encode(points.join("\n")));
