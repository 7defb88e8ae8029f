/** Holds containers until it is killed: `SCRATCH=… container_hold_child.ts pause|stop ID…`. */
import { CliEngine } from "#/target/container/engine.ts";
import { containerOf } from "#/target/container/engine_parse.ts";
import { holding } from "#/target/container/hold.ts";

const [how, ...ids] = Deno.args;
const env = (name: string) => Deno.env.get(name);
const signal = new AbortController().signal;
const engine = new CliEngine({ kind: "docker", context: { env, signal } });
const containers = (await engine.records(ids)).map((it) => containerOf(it, "docker"));
const context = {
  ...{ folder: "/", scratch: env("SCRATCH")!, offline: true, signal, env },
  now: () => new Date(),
  onProgress: () => {},
  warn: (message: string) => console.error(message),
};
await holding(engine, containers, how === "stop" ? "stop" : "pause", context, async () => {
  console.log("held");
  await new Promise((resolve) => setTimeout(resolve, 600_000));
});
