/**
 * Keeps services still while their files are copied. They go on whatever happens to this process: a child of its own
 * waits until our end of a pipe is closed, by us or by our death, and lets them go on then.
 */
import { cleanEnvironment, within } from "#/core/child_process.ts";
import { RollbackBackupError } from "#/core/errors.ts";
import { heldPath, noteHeld } from "../held.ts";
import type { TargetContext } from "../target.ts";
import { type CliEngine, engineEnv } from "./engine.ts";
import type { Container } from "./model.ts";
import { idsByService } from "./order.ts";

export type Holding = "pause" | "stop" | "run";

/** How long services may take to go on after backout was stopped, before it ends without having seen it. */
const STOPPED_WAIT_MS = 30_000;

/** Asks until it is so: the engine itself may be just starting. */
const WATCHER = `
trap '' HUP INT TERM
note=$1 program=$2 verb=$3 field=$4 want=$5
shift 5
cat >/dev/null
# An engine that hangs must not hold this up for ever.
limit=
if command -v timeout >/dev/null 2>&1; then limit='timeout 60'; fi
failed=0
for id; do
  tries=0
  until [ "$($limit "$program" container inspect -f "$field" "$id" 2>/dev/null)" = "$want" ]; do
    [ "$tries" -lt 60 ] || { failed=1; break; }
    [ "$tries" -eq 0 ] || sleep 1
    tries=$((tries + 1))
    $limit "$program" "$verb" "$id" >/dev/null 2>&1
  done
done
[ "$failed" -ne 0 ] || rm -f "$note"
exit "$failed"
`;

/**
 * Holds the containers, works, and lets them go on.
 * @param containers in the order in which they start
 * @throws {RollbackBackupError} one of them did not go on
 */
export async function holding<T>(
  engine: CliEngine,
  containers: readonly Container[],
  how: Holding,
  context: TargetContext,
  work: () => Promise<T>,
): Promise<T> {
  const held = containers.filter((it) => it.state === "running");
  if (how === "run" || held.length === 0) return await work();
  const ids = held.map((it) => it.id);
  noteHeld(context.scratch, "container", { engine: engine.kind, how, ids, names: held.map((it) => it.name) });
  const watcher = startWatcher(engine, ids, how, context, heldPath(context.scratch));
  let result: T;
  try {
    if (how === "pause") await engine.pause(ids);
    // Dependents first; the engine would stop all of them at once.
    else for (const own of idsByService(held.toReversed())) await engine.stop(own);
    result = await work();
  } finally {
    await watcher.stdin.close();
    if (!await goesOn(watcher, context)) {
      context.warn(notGoingOn(held.map((it) => it.name), how, engine.kind));
    }
  }
  const left = await engine.records(ids);
  if (left.length < ids.length) throw new RollbackBackupError("A container went while its files were copied");
  return result;
}

/** Whoever stops backout does not wait for an engine that hangs; the watcher goes on without us. */
export async function goesOn(
  watcher: Deno.ChildProcess,
  { signal }: Pick<TargetContext, "signal">,
): Promise<boolean> {
  let success = false;
  const ended = watcher.status.then((status) => {
    success = status.success;
  });
  if (await within(ended, undefined, signal) === "aborted") await within(ended, STOPPED_WAIT_MS);
  watcher.unref();
  return success;
}

export function startWatcher(
  engine: CliEngine,
  ids: readonly string[],
  how: "pause" | "stop",
  context: Pick<TargetContext, "env">,
  note = "",
): Deno.ChildProcess {
  const words = how === "pause"
    ? ["unpause", "{{.State.Paused}}", "false"]
    : ["start", "{{.State.Running}}", "true"];
  return new Deno.Command("/bin/sh", {
    args: ["-c", WATCHER, "sh", note, engine.kind, ...words, ...ids],
    env: { ...cleanEnvironment(context.env), ...engineEnv(context.env) },
    clearEnv: true,
    stdin: "piped",
    stdout: "null",
    stderr: "null",
    // A signal to our group is not for it.
    detached: true,
  }).spawn();
}

/** What to do about containers that stand still. */
export function notGoingOn(held: readonly string[], how: "pause" | "stop", program: string): string {
  const names = held.join(" ");
  const verb = how === "pause" ? "unpause" : "start";
  return `Not all of these go on after the copy: ${names}. Run: ${program} ${verb} ${names}`;
}
