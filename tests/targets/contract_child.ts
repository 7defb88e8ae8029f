/**
 * A restore that kills itself: before the Nth changing call, before the Nth start of a program, or right after it (the
 * program then goes on alone, as it would). Prints its points, one a line.
 */
import { setFaultHook } from "#/core/posix.ts";
import { type TargetType, targetTypes } from "#/target/registry.ts";
import type { TargetDriver } from "#/target/target.ts";
import { MemoryStore } from "../support/memory_store.ts";
import type { ChildTask } from "./contract_sweep.ts";

const task: ChildTask = JSON.parse(Deno.readTextFileSync(Deno.args[0]!));
const points: string[] = [];

function point(what: string): void {
  points.push(what);
  if (points.length === task.killAt) Deno.kill(Deno.pid, "SIGKILL");
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

const { driver } = await targetTypes[task.target.type as TargetType]() as unknown as { driver: TargetDriver };
const store = new MemoryStore();
for (const [id, text] of Object.entries(task.chunks)) {
  store.chunks.set(id, Uint8Array.from(atob(text), (it) => it.codePointAt(0)!));
}
const target = { ...task.target, config: driver.schema.parse(task.target.written) };
await driver.restore(target, task.saved, {
  folder: task.folder,
  env: (name) => task.env[name] ?? (["PATH", "HOME"].includes(name) ? Deno.env.get(name) : undefined),
  signal: new AbortController().signal,
  scratch: task.scratch,
  offline: true,
  now: () => new Date(),
  onProgress: () => {},
  warn: () => {},
  store,
  options: { paths: [], discardChanges: true },
});
Deno.stdout.writeSync(new TextEncoder().encode(points.join("\n")));
