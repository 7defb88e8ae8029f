/** What has to be done so that the stack becomes what was saved. Looks only; a plan shows it, a restore does it. */
import { posix } from "node:path";
import type { PlanContext } from "../target.ts";
import type { Comparison } from "../tree/compare.ts";
import { isWithin } from "../tree/path.ts";
import { planSpace } from "../tree/space.ts";
import { besideOf, compareData, type DataPlace, isSame, leavesOut, settledMountpoint } from "./data.ts";
import type { CliEngine } from "./engine.ts";
import { tagsOf } from "./fingerprint.ts";
import { findArchives, goneImages, type ImageSource, missingImages } from "./images.ts";
import { allowedRoots, isCovered, type Target, type World } from "./look.ts";
import type { Container, SavedContainer, SavedData, SavedService, SavedStack } from "./model.ts";
import { inOrder, startOrder } from "./order.ts";
import { readRecords } from "./stack.ts";
import { describe, ownerOf, strangersOf, unreachable, usesVolume } from "./volumes.ts";

/** Content that is to be put back. */
export interface DataChange {
  readonly saved: SavedData;
  /** Where it belongs; undefined: the volume is not there, and is made. */
  readonly path: string | undefined;
  readonly comparison: Comparison | undefined;
  /** File by file, while nobody uses it: what is left out of it stays where it is. Else it changes places as a whole. */
  readonly inPlace: boolean;
}

/** A reference that is to point at another image; an empty id: at none. */
export interface TagChange {
  readonly reference: string;
  readonly id: string;
  readonly now: string;
}

export interface Wanted {
  readonly service: SavedService;
  readonly container: SavedContainer;
  /** The container that is it already: the same image, made from the same. */
  readonly now: Container | undefined;
}

export interface Decision {
  readonly config: {
    readonly place: DataPlace;
    readonly comparison: Comparison;
    readonly skipped: readonly string[];
  };
  readonly missingImages: readonly string[];
  readonly sources: ReadonlyMap<string, ImageSource>;
  readonly data: readonly DataChange[];
  /** In the order in which services start. */
  readonly wanted: readonly Wanted[];
  /** Containers that are not wanted, or are replaced: in that order too. */
  readonly remove: readonly Container[];
  /** Containers that stay, but must not run while what they mount is changed, or not at all. */
  readonly stop: readonly Container[];
  readonly tags: readonly TagChange[];
  readonly order: readonly string[];
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** @param done names of data that this run has put back: a service that was started on it goes on writing */
export async function decide(
  target: Target,
  stack: SavedStack,
  world: World,
  context: PlanContext,
  done: ReadonlySet<string> = new Set(),
): Promise<Decision> {
  const { engine } = world;
  const covers = isCovered(target.config.services);
  const isSaved = isCovered(stack.scope);
  const services = stack.services.filter((it) => covers(it.name));
  const needs = new Map(services.map((it) => [it.name, it.depends_on]));
  const order = startOrder(
    [...new Set([...needs.keys(), ...world.containers.map((it) => it.service)])],
    (name) => needs.get(name) ?? world.project.facts.needs.get(name) ?? [],
  );
  const { wanted, rest } = match(services, world.containers, order);
  const remove = inOrder(rest.filter((it) => isSaved(it.service)), order);
  const config = await decideConfig(target, stack, context);
  const data = target.config.include_volumes
    ? await decideData(target, stack.data.filter((it) => !done.has(it.name)), stack.folder, world, context)
    : noData(stack, world);
  const missing = await missingImages(engine, { ...stack, services });
  const sources = missing.length === 0 ? new Map() : await findArchives(stack, missing, context.store);
  const changed = [
    ...data.changes.map((it) => it.saved.name),
    ...config.comparison.actions.filter((it) => it.kind !== "times").map((it) => it.path),
  ];
  const staying = wanted.filter((it) => it.now !== undefined);
  const stop = staying.filter(({ now, container }) =>
    now!.state !== "stopped" && (container.state === "stopped" || mountsAny(now!, changed, data.changes))
  ).map((it) => it.now!);
  return {
    config,
    missingImages: missing,
    sources,
    data: data.changes,
    wanted,
    remove,
    stop,
    tags: await tagChanges(services, engine),
    order,
    problems: [
      ...goneImages({ ...stack, services }, missing, sources),
      ...await takenNames(wanted, world),
      ...await lostVolumes(stack, wanted, world, context),
      ...data.problems,
      ...targetProblems(target, context),
    ],
    warnings: data.warnings,
  };
}

/** Whether there is nothing to do. */
export function isDone({ config, data, wanted, remove, tags }: Decision): boolean {
  return isSame(config.comparison) && data.length === 0 && remove.length === 0 && tags.length === 0 &&
    wanted.every(({ now, container }) => now !== undefined && now.state === container.state);
}

function targetProblems({ name }: Target, { options }: PlanContext): readonly string[] {
  return options.paths.length === 0 ? [] : [`${name}: a stack is restored as a whole, not by single paths`];
}

/** Names of containers to be made that somebody else has. Those of the stack itself are removed before. */
async function takenNames(
  wanted: readonly Wanted[],
  { engine, project }: World,
): Promise<readonly string[]> {
  const names = wanted.filter((it) => it.now === undefined).map((it) => it.container.name);
  const others = (await engine.containersNamed(names)).filter((it) => it.project !== project.name);
  return others.map((it) => `the name of the container ${it.name} is taken by ${ownerOf(it)}`);
}

/** An empty folder in place of somebody's NFS would be worse than nothing. */
async function lostVolumes(
  stack: SavedStack,
  wanted: readonly Wanted[],
  { engine }: World,
  { store }: PlanContext,
): Promise<readonly string[]> {
  const names = wanted.filter((it) => it.now === undefined).flatMap((it) => it.service.volumes);
  const there = await engine.volumes([...new Set(names)]);
  const gone = [...new Set(names)].filter((it) => !there.has(it));
  if (gone.length === 0) return [];
  const { particular } = await readRecords(stack, store);
  return gone.filter((it) => particular.has(it)).map((it) =>
    `the volume ${it} is gone, and had a driver or options of its own: make it again first, with compose or by hand`
  );
}

/** Each saved container with one that is it already; what is left over goes. */
function match(
  services: readonly SavedService[],
  containers: readonly Container[],
  order: readonly string[],
): { readonly wanted: readonly Wanted[]; readonly rest: readonly Container[] } {
  const free = new Set(containers);
  const wanted = services.flatMap((service) =>
    service.containers.map((container): Wanted => {
      const now = [...free].find((it) =>
        it.service === service.name && it.number === container.number && it.imageId === container.image_id &&
        it.configHash === container.config_hash
      );
      if (now !== undefined) free.delete(now);
      return { service, container, now };
    })
  );
  const place = (it: Wanted) => order.indexOf(it.service.name);
  return { wanted: wanted.sort((a, b) => place(a) - place(b)), rest: [...free] };
}

async function decideConfig(
  target: Target,
  stack: SavedStack,
  context: PlanContext,
): Promise<Decision["config"]> {
  const allowed = allowedRoots(stack.folder, target.config, context);
  const isAllowed = (path: string) => allowed.some((it) => isWithin(path, it));
  const roots = stack.config.roots.filter(isAllowed);
  const place: DataPlace = {
    tree: stack.config.tree,
    moves: roots.map((it) => ({ from: it, to: it })),
    exclude: [],
  };
  const comparison = await compareData(place, context);
  return { place, comparison, skipped: stack.config.roots.filter((it) => !isAllowed(it)) };
}

interface DataDecision {
  readonly changes: readonly DataChange[];
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

function noData(stack: SavedStack, world: World): DataDecision {
  const { project } = world;
  const held = stack.data.map((it) => it.name);
  return {
    changes: [],
    problems: [],
    warnings: held.length === 0 ? [] : [
      `${project.name}: what the snapshot has of ${held.join(", ")} is not restored (include_volumes is off)`,
    ],
  };
}

async function decideData(
  target: Target,
  data: readonly SavedData[],
  folder: string,
  world: World,
  context: PlanContext,
): Promise<DataDecision> {
  const [changes, problems, warnings]: [DataChange[], string[], string[]] = [[], [], []];
  const allowed = allowedRoots(folder, target.config, context);
  const names = data.filter((it) => it.kind === "volume").map((it) => it.name);
  const volumes = await world.engine.volumes(names);
  for (const saved of data) {
    if (saved.kind === "bind" && !allowed.some((it) => isWithin(saved.path, it))) {
      warnings.push(`${saved.path} is not restored: it is outside of what the target covers (bind_mounts)`);
      continue;
    }
    const inPlace = saved.kind === "bind" || await leavesOut(saved.tree, target.config.exclude, context);
    const volume = saved.kind === "volume" ? volumes.get(saved.name) : undefined;
    if (saved.kind === "volume" && volume === undefined) {
      changes.push({ saved, path: undefined, comparison: undefined, inPlace });
      continue;
    }
    const closed = volume === undefined ? undefined : await unreachable(world.engine, volume);
    if (closed !== undefined) {
      problems.push(`the volume ${saved.name} cannot be reached: ${closed}`);
      continue;
    }
    const path = volume?.mountpoint ?? saved.path;
    // After an exchange that was cut off the content is still beside; then it is put back in any case.
    const looked = volume === undefined ? path : settledMountpoint(path);
    const place: DataPlace = {
      tree: saved.tree,
      moves: [{ from: saved.path, to: looked }],
      exclude: target.config.exclude,
    };
    const comparison = await compareData(place, context);
    if (isSame(comparison) && looked === path) continue;
    changes.push({ saved, path, comparison, inPlace });
  }
  const replaced = changes.filter((it) => it.saved.kind === "volume" && it.path !== undefined).map((it) =>
    it.saved.name
  );
  for (const change of changes) {
    const { saved } = change;
    const problem = saved.kind === "volume" ? await spaceProblem(change, target, context) : undefined;
    if (problem !== undefined) problems.push(`the volume ${saved.name}: ${problem}`);
  }
  const strangers = await strangersOf(world.engine, replaced, world.containers);
  for (const name of replaced) {
    const users = strangers.filter((it) => usesVolume(it, name));
    problems.push(...users.map((it) => `the volume ${name} is in use by ${describe(it)}`));
  }
  return { changes, problems, warnings };
}

/** Where it changes places as a whole, the new content is made beside the old one. */
async function spaceProblem(
  { saved, path, comparison, inPlace }: DataChange,
  { config }: Target,
  context: PlanContext,
): Promise<string | undefined> {
  if (path === undefined || comparison === undefined) return undefined;
  if (inPlace) return planSpace(comparison.actions, [path]).problem;
  const beside = besideOf(path);
  const place = { tree: saved.tree, moves: [{ from: saved.path, to: beside }], exclude: config.exclude };
  const { actions } = await compareData(place, context);
  return planSpace(actions, [beside]).problem;
}

/** Whether it sees something that changes: a volume, a mounted file, or what is below a mounted folder of data. */
function mountsAny(container: Container, changed: readonly string[], data: readonly DataChange[]): boolean {
  const folders = data.filter((it) => it.saved.kind === "bind").map((it) => it.saved.path);
  return container.mounts.some(({ kind, source }) => {
    if (kind === "volume") return changed.includes(source);
    if (kind !== "bind") return false;
    const path = posix.normalize(source);
    return changed.includes(path) || folders.some((it) => isWithin(path, it) || isWithin(it, path));
  });
}

/**
 * The references that have to point elsewhere. One that pointed at an image that is gone, or at none, must only not point
 * at one that the services run.
 */
export async function tagChanges(
  services: readonly SavedService[],
  engine: CliEngine,
): Promise<readonly TagChange[]> {
  const references = new Map(services.filter((it) => isTag(it.image)).map((it) => [it.image, it.tag_id]));
  const run = new Set(services.flatMap((it) => it.containers.map((own) => own.image_id)));
  const now = await tagsOf(engine, [...references.keys()]);
  const changes: TagChange[] = [];
  for (const [reference, saved] of references) {
    const at = now.get(reference) ?? "";
    if (at === saved) continue;
    const isGone = saved === "" || !run.has(saved) && await engine.image(saved) === undefined;
    if (isGone && !run.has(at)) continue;
    changes.push({ reference, id: isGone ? "" : saved, now: at });
  }
  return changes;
}

/** What is an id or a digest can point nowhere else. */
export function isTag(reference: string): boolean {
  return !reference.includes("@") && !/^(sha256:)?[0-9a-f]{12,64}$/.test(reference);
}
