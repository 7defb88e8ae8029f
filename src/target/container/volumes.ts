/** Where the content of a stack's volumes and folders is on this machine. */
import { RollbackBackupError } from "#/core/errors.ts";
import type { TargetContext } from "../target.ts";
import { lookAt } from "../tree/look.ts";
import type { CliEngine } from "./engine.ts";
import type { World } from "./look.ts";
import type { Container, Volume } from "./model.ts";
import { isLocal } from "./open_engine.ts";

export interface DataPlaceFound {
  readonly kind: "volume" | "bind";
  readonly name: string;
  readonly path: string;
}

/** @throws {RollbackBackupError} one of them cannot be read from here */
export async function findData(world: World, context: TargetContext): Promise<readonly DataPlaceFound[]> {
  const { engine, containers, volumes, binds } = world;
  const found: DataPlaceFound[] = [];
  for (const name of volumes) {
    const volume = await engine.volume(name);
    if (volume === undefined) continue;
    await assertReadable(engine, volume);
    found.push({ kind: "volume", name, path: volume.mountpoint });
    for (const it of await strangersOf(engine, name, containers)) {
      context.warn(`The volume ${name} is also used by ${describe(it)}, which is not held while it is copied`);
    }
  }
  return [...found, ...binds.map((it): DataPlaceFound => ({ kind: "bind", name: it, path: it }))];
}

/** @throws {RollbackBackupError} its content is not a folder that this process can work with */
export async function assertReadable(engine: CliEngine, volume: Volume): Promise<void> {
  const problem = await unreachable(engine, volume);
  if (problem === undefined) return;
  throw new RollbackBackupError(`The content of the volume ${volume.name} cannot be reached: ${problem}`, {
    hint: "Run backout as root on the engine's own machine, or leave volumes out (include_volumes: false).",
    context: { volume: volume.name },
  });
}

/** Why its content cannot be worked with, undefined when it can. */
export async function unreachable(engine: CliEngine, volume: Volume): Promise<string | undefined> {
  if (volume.driver !== "local") return `it is kept by the driver ${volume.driver}`;
  if (volume.hasOptions) return "it is mounted from elsewhere (it has options of its driver)";
  if (!await isLocal(engine)) return "the engine is on another machine";
  try {
    if (lookAt(volume.mountpoint)?.type === "folder" && Deno.readDirSync(volume.mountpoint)) return undefined;
  } catch {
    return `this user may not read ${volume.mountpoint}`;
  }
  return `there is no folder ${volume.mountpoint} here`;
}

/** Running containers that have the volume mounted and are not ours. */
export async function strangersOf(
  engine: CliEngine,
  volume: string,
  ours: readonly Container[],
): Promise<readonly Container[]> {
  const all = await engine.containersWith(volume);
  return all.filter((it) => it.state !== "stopped" && !ours.some((own) => own.id === it.id));
}

export function describe(container: Container): string {
  return container.project === "" ? container.name : `${container.name} of the project ${container.project}`;
}
