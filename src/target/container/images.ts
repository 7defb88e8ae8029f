/** Images of a stack: kept, found again, and given back the names that they had. */
import { RollbackBackupError } from "#/core/errors.ts";
import { isJsonObject } from "#/core/json.ts";
import type { ContentRef, SavedTarget } from "#/store/model.ts";
import type { StoreReader } from "#/store/store.ts";
import type { CaptureContext, PlanContext } from "../target.ts";
import { isContent } from "../tree/entry.ts";
import type { CliEngine } from "./engine.ts";
import type { SavedImage, SavedService, SavedStack } from "./model.ts";

/** `sha256:0123456789ab`: as people know it from lists. */
export function shortId(id: string): string {
  return id.slice(0, "sha256:".length + 12);
}

/** Stores the images that the services run. What an earlier snapshot has of them is not read again. */
export async function saveImages(
  engine: CliEngine,
  services: readonly SavedService[],
  context: CaptureContext,
): Promise<readonly SavedImage[]> {
  const known = context.previous === undefined ? new Map() : archivesOf(context.previous);
  const ids = new Set(services.flatMap((it) => it.containers.map((container) => container.image_id)));
  const saved: SavedImage[] = [];
  for (const id of [...ids].sort()) {
    const references = services.filter((it) => it.image_id === id).map((it) => it.image);
    const earlier: ContentRef | undefined = known.get(id);
    const archive = earlier !== undefined && context.writer.known.has(earlier)
      ? earlier
      : await context.writer.addStream(await engine.saveImage(id), { signal: context.signal });
    saved.push({ id, references: [...new Set(references)], archive });
  }
  return saved;
}

/** Of a saved target, the archive of each image by its id. */
function archivesOf(saved: SavedTarget): ReadonlyMap<string, ContentRef> {
  const images = saved.type === "container" ? saved.state["images"] : undefined;
  const list = Array.isArray(images) ? images.filter(isJsonObject) : [];
  return new Map(
    list.flatMap(({ id, archive }) =>
      typeof id === "string" && isContent(archive) ? [[id, archive] as const] : []
    ),
  );
}

/** Where an image can be had from: this snapshot, or another one of the store. */
export interface ImageSource {
  readonly archive: ContentRef;
  /** Undefined: this one. */
  readonly snapshot: string | undefined;
}

export async function findArchives(
  stack: SavedStack,
  missing: readonly string[],
  store: StoreReader,
): Promise<ReadonlyMap<string, ImageSource>> {
  const found = new Map<string, ImageSource>();
  for (const { id, archive } of stack.images) found.set(id, { archive, snapshot: undefined });
  if (missing.every((id) => found.has(id))) return found;
  const { snapshots } = await store.listSnapshots();
  for (const { id: snapshot, targets } of snapshots.toReversed()) {
    for (const target of targets) {
      for (const [id, archive] of archivesOf(target)) {
        if (!found.has(id)) found.set(id, { archive, snapshot });
      }
    }
  }
  return found;
}

/** The images of the wanted containers that the engine does not have. */
export async function missingImages(engine: CliEngine, stack: SavedStack): Promise<readonly string[]> {
  const ids = [
    ...new Set(stack.services.flatMap((it) => it.containers.map((container) => container.image_id))),
  ];
  const present = await Promise.all(ids.map((id) => engine.image(id)));
  return ids.filter((_, i) => present[i] === undefined);
}

/** One sentence for each image that cannot be had. */
export function goneImages(
  stack: SavedStack,
  missing: readonly string[],
  sources: ReadonlyMap<string, ImageSource>,
): readonly string[] {
  return missing.filter((id) => !sources.has(id)).map((id) => {
    const names = stack.services.filter((it) => it.containers.some((own) => own.image_id === id))
      .map((it) => `${it.image} of ${it.name}`);
    return `the image ${names.join(", ")} (${shortId(id)}) is gone, and no snapshot holds it`;
  });
}

/** @throws {RollbackBackupError} an image cannot be had, or is not what was saved */
export async function loadImages(
  engine: CliEngine,
  stack: SavedStack,
  missing: readonly string[],
  context: PlanContext,
): Promise<void> {
  if (missing.length === 0) return;
  const sources = await findArchives(stack, missing, context.store);
  const gone = goneImages(stack, missing, sources);
  if (gone.length > 0) {
    throw new RollbackBackupError(`Cannot restore ${stack.project}: ${gone.join("; ")}`, {
      hint: "Load or build that image again. Snapshots that are taken with include_images hold theirs.",
      context: { images: [...missing] },
    });
  }
  for (const id of missing) {
    await engine.loadImages(context.store.readStream(sources.get(id)!.archive));
    if (await engine.image(id) === undefined) {
      throw new RollbackBackupError(
        `The saved image ${shortId(id)} was loaded, but the engine calls it otherwise`,
        {
          hint: "Restore with the engine that the snapshot was taken with.",
          context: { image: id },
        },
      );
    }
  }
}
