/** Copies the content of a stack's volumes and folders into the store. */
import { RollbackError } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import type { ContentRef, SavedTarget } from "#/store/model.ts";
import type { CaptureContext } from "../target.ts";
import { isContent } from "../tree/entry.ts";
import { isWithin } from "../tree/path.ts";
import { captureData } from "./data.ts";
import { isEngineAway } from "./engine_error.ts";
import { FirstPass } from "./first_pass.ts";
import { holding } from "./hold.ts";
import { accessTo, knownOf, servicesOf } from "./know.ts";
import type { Target, World } from "./look.ts";
import type { KnowHow, Mount, SavedData, ServiceAccess, ServiceFacts } from "./model.ts";
import { inOrder, startOrder } from "./order.ts";
import { describe, findData, strangersOf } from "./volumes.ts";

/**
 * The content of volumes and folders. Twice where the services are held meanwhile: first while they run, so that only
 * what changed since has to be read while they wait.
 */
export async function copyData(
  target: Target,
  world: World,
  context: CaptureContext,
): Promise<readonly SavedData[]> {
  const places = await findData(world);
  if (places.length === 0) return [];
  const { engine, containers, project } = world;
  for (const it of await strangersOf(engine, world.volumes, containers)) {
    context.warn(`${describe(it)} uses a volume of the stack too, and is not held while it is copied`);
  }
  await prepareCopy(target, world, context);
  const order = startOrder(containers.map((it) => it.service), (it) => project.facts.needs.get(it) ?? []);
  const isCopied = ({ kind, source }: Mount) =>
    places.some((it) =>
      it.kind === kind && (kind === "volume" ? it.name === source : isWithin(source, it.path))
    );
  const writers = inOrder(containers, order).filter((it) =>
    it.mounts.some((mount) => mount.writable && isCopied(mount))
  );
  const how = target.config.while_copying;
  const earlier = new Map(places.map((it) => [it.path, previousData(context.previous, it.name)]));
  const first = new FirstPass();
  if (how !== "run" && writers.some((it) => it.state === "running")) {
    for (const it of places) {
      const before = earlier.get(it.path);
      const tree = await captureData([it.path], target.config.exclude, before, first.recording(context));
      if (first.has(tree.root)) earlier.set(it.path, tree.root);
    }
  }
  const second = first.reading(context);
  return await holding(engine, writers, how, context, async () => {
    const data: SavedData[] = [];
    for (const it of places) {
      const tree = await captureData([it.path], target.config.exclude, earlier.get(it.path), second);
      const { root, fingerprint, files, bytes } = tree;
      tree.warnings.forEach((warning) => context.warn(warning));
      data.push({ kind: it.kind, name: it.name, path: it.path, tree: root, fingerprint, files, bytes });
    }
    return data;
  });
}

async function prepareCopy(
  target: Target,
  { engine, containers }: World,
  context: CaptureContext,
): Promise<void> {
  const access = accessTo(engine, context);
  for (const service of servicesOf(containers)) {
    if (!service.containers.some((it) => it.state === "running")) continue;
    for (const known of knownOf(service, target.config)) {
      for (const warning of await told(service, known, access)) context.warn(warning);
    }
  }
}

/** One that does not answer must not keep a broken stack from being captured, and so from being rolled back. */
async function told(
  service: ServiceFacts,
  known: KnowHow,
  access: ServiceAccess,
): Promise<readonly string[]> {
  try {
    return await known.beforeCopy?.(service, access) ?? [];
  } catch (error) {
    throwIfStopped(access.signal);
    if (!(error instanceof RollbackError) || isEngineAway(error)) throw error;
    const hint = error.hint === undefined ? "" : ` (${error.hint})`;
    return [`${service.name} did not write down what it has in memory: ${error.message}${hint}`];
  }
}

function previousData(previous: SavedTarget | undefined, name: string): ContentRef | undefined {
  const data = previous?.type === "container" ? previous.state["data"] : undefined;
  const found = Array.isArray(data)
    ? data.find((it) => (it as { name?: unknown })?.name === name)
    : undefined;
  const tree = (found as { tree?: unknown } | undefined)?.tree;
  return isContent(tree) ? tree : undefined;
}
