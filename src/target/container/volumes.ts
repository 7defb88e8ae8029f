/** Where the content of a stack's volumes and folders is on this machine. */
import { RollbackBackupError } from "#/core/errors.ts";
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
export async function findData(world: World): Promise<readonly DataPlaceFound[]> {
  const { engine, volumes, binds } = world;
  const found: DataPlaceFound[] = [];
  for (const volume of (await engine.volumes(volumes)).values()) {
    await assertReadable(engine, volume);
    found.push({ kind: "volume", name: volume.name, path: volume.mountpoint });
  }
  return [...found, ...binds.map((it): DataPlaceFound => ({ kind: "bind", name: it, path: it }))]
    .sort((a, b) => a.name < b.name ? -1 : 1);
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

/** Running containers that have one of the volumes mounted and are not ours. */
export async function strangersOf(
  engine: CliEngine,
  volumes: readonly string[],
  ours: readonly Container[],
): Promise<readonly Container[]> {
  const all = await engine.containersWith(volumes);
  return all.filter((it) => it.state !== "stopped" && !ours.some((own) => own.id === it.id));
}

export function usesVolume(container: Container, volume: string): boolean {
  return container.mounts.some((it) => it.kind === "volume" && it.source === volume);
}

/** Of a container whose name is told already. */
export function ownerOf(container: Container): string {
  const id = container.id.slice(0, 12);
  return container.project === ""
    ? `another container (${id})`
    : `one of the project ${container.project} (${id})`;
}

export function describe(container: Container): string {
  return container.project === "" ? container.name : `${container.name} of the project ${container.project}`;
}
