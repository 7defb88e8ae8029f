/** Containers that a capture held and died with go on. */
import * as z from "zod";
import { RollbackBackupError } from "#/core/errors.ts";
import type { JsonObject } from "#/core/json.ts";
import type { TargetContext } from "../target.ts";
import { CliEngine } from "./engine.ts";
import { containerOf } from "./engine_parse.ts";
import { goesOn, notGoingOn, startWatcher } from "./hold.ts";

/** What `holding` writes down. */
const heldContainers = () =>
  z.object({
    engine: z.enum(["docker", "podman"]),
    how: z.enum(["pause", "stop"]),
    ids: z.array(z.string().regex(/^[0-9a-f]{64}$/)),
    names: z.array(z.string()),
  });

/** Those that went since are left out, and so are those that went on already. @throws {RollbackBackupError} one does not */
export async function letGo(
  note: JsonObject,
  context: Pick<TargetContext, "env" | "signal">,
): Promise<string | undefined> {
  const held = heldContainers().safeParse(note);
  if (!held.success) return undefined;
  const { engine: kind, how, ids, names } = held.data;
  const engine = new CliEngine({ kind, context });
  try {
    const there = (await engine.records(ids)).map((it) => containerOf(it, kind));
    const still = there.filter(({ state }) => state !== "running");
    if (still.length === 0) return undefined;
    const order = ids.filter((id) => still.some((it) => it.id === id));
    const watcher = startWatcher(engine, order, how, context);
    await watcher.stdin.close();
    if (await goesOn(watcher, context)) return `Started again: ${still.map((it) => it.name).join(", ")}`;
  } catch (cause) {
    throw new RollbackBackupError(notGoingOn(names, how, kind), { cause });
  }
  throw new RollbackBackupError(notGoingOn(names, how, kind));
}
