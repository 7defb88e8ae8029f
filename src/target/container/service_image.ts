/** One service at another image: which image that is, and the state of the stack's service that a restore brings about. */
import { RollbackVersionNotFoundError } from "#/core/errors.ts";
import type { JsonObject } from "#/core/json.ts";
import { quoteShort } from "#/core/safe_path.ts";
import type { SavedTarget, SnapshotManifest } from "#/store/model.ts";
import type { CaptureContext, Captured, TargetContext } from "../target.ts";
import { capture } from "./capture.ts";
import type { CliEngine } from "./engine.ts";
import { containerOf } from "./engine_parse.ts";
import { fingerprintOf } from "./fingerprint.ts";
import { onOtherImage } from "./image_swap.ts";
import { shortId } from "./images.ts";
import { lookAtStack, type Target, type World } from "./look.ts";
import type { Container, SavedContainer, SavedService, SavedStack } from "./model.ts";
import { readRecords, readStack } from "./stack.ts";

export interface ServiceImage {
  readonly reference: string;
  readonly id: string;
  /** Where it was found: `of rb-0123456789ab`, or the reference itself. */
  readonly from: string;
  /** Whether the service runs nothing else already. */
  readonly isRunning: boolean;
  /** The snapshot's target that ran it, where one did. */
  readonly saved?: SavedTarget;
}

export interface ImageQuestion {
  readonly service: string;
  /** A tag of the service's image, a reference, an id or a digest; undefined: the last snapshot's. */
  readonly image: string | undefined;
  /** Of this workspace, newest first. */
  readonly snapshots: readonly SnapshotManifest[];
}

/**
 * Which image is meant.
 * @throws {RollbackVersionNotFoundError} no such service, no snapshot of it, or no such image
 */
export async function chooseImage(
  target: Target,
  question: ImageQuestion,
  context: TargetContext,
): Promise<ServiceImage> {
  const { engine, containers, project } = await lookAtStack(target, context);
  const own = containers.filter((it) => it.service === question.service);
  if (own.length === 0) {
    const names = [...new Set(containers.map((it) => it.service))];
    throw new RollbackVersionNotFoundError(
      `The stack ${project.name} has no container of a service ${quoteShort(question.service)}`,
      {
        hint: names.length === 0
          ? "Nothing of it is there: bring it up first, or restore a snapshot."
          : `It has ${names.join(", ")}.`,
      },
    );
  }
  const saved = savedServices(target.name, question);
  const found = question.image === undefined
    ? ofLastSnapshot(question.service, saved)
    : await named(engine, question.image, own[0]!.image, saved);
  return { ...found, isRunning: own.every((it) => it.imageId === found.id && it.state === "running") };
}

type Found = Omit<ServiceImage, "isRunning">;

interface SavedIn {
  readonly snapshot: SnapshotManifest;
  readonly target: SavedTarget;
  readonly service: SavedService;
}

function savedServices(target: string, { service, snapshots }: ImageQuestion): readonly SavedIn[] {
  return snapshots.flatMap((snapshot) => {
    const saved = snapshot.targets.find((it) => it.name === target && it.type === "container");
    if (saved === undefined) return [];
    const found = servicesIn(saved).find((it) => it.name === service);
    return found === undefined ? [] : [{ snapshot, target: saved, service: found }];
  });
}

/** A point of another tool has none. */
function servicesIn(saved: SnapshotManifest["targets"][number]): readonly SavedService[] {
  try {
    return readStack(saved).services;
  } catch {
    return [];
  }
}

/** What restores kept of the state before them is not meant. */
function ofLastSnapshot(service: string, saved: readonly SavedIn[]): Found {
  const last = saved.find(({ snapshot }) => snapshot.origin !== "safety");
  if (last === undefined) {
    throw new RollbackVersionNotFoundError(`No snapshot has the service ${service}`, {
      hint: `Name the image: backout service rollback ${service} TAG.`,
    });
  }
  return foundIn(last);
}

function foundIn({ service, snapshot, target }: SavedIn): Found {
  const { image, image_id } = service;
  return { reference: image, id: image_id, from: `${image} of ${snapshot.id}`, saved: target };
}

async function named(
  engine: CliEngine,
  wanted: string,
  current: string,
  saved: readonly SavedIn[],
): Promise<Found> {
  const reference = referenceOf(wanted, current);
  const image = await engine.image(reference);
  if (image !== undefined) {
    const isId = /^(sha256:)?[0-9a-f]{12,64}$/.test(reference);
    return {
      reference: isId ? image.tags[0] ?? image.id : reference,
      id: image.id,
      from: reference,
    };
  }
  // An image that is gone may be in a snapshot: the restore loads it from there.
  const kept = saved.find(({ service }) => service.image === reference || service.image_id === reference);
  if (kept !== undefined) return foundIn(kept);
  throw new RollbackVersionNotFoundError(`There is no image ${quoteShort(reference)} here`, {
    hint: `Pull or load it first: ${engine.kind} pull ${reference}.`,
    context: { image: reference },
  });
}

/** A tag alone is one of the image that the service has. */
function referenceOf(wanted: string, current: string): string {
  if (/[/:@]/.test(wanted) || /^[0-9a-f]{64}$/.test(wanted)) return wanted;
  const name = current.split("@")[0]!.replace(/:[^:/]*$/, "");
  return `${name}:${wanted}`;
}

/**
 * What the service is with another image: everything else as it is now. A restore of it changes that service alone.
 * @param target covers that service alone, without volumes
 */
export async function captureOnImage(
  target: Target,
  service: string,
  image: ServiceImage,
  context: CaptureContext,
): Promise<Captured> {
  const { reference, id } = image;
  const captured = await capture(target, { ...context, previous: undefined });
  const stack = readStack({ name: target.name, state: captured.state });
  const world = await lookAtStack(target, context);
  const { records, networks } = await recordsOn(world, service, image, context);
  const containers = records.map((it) => ({
    ...containerOf(it, world.engine.kind),
    state: "running" as const,
  }));
  const state: SavedStack = {
    ...stack,
    services: stack.services.filter((it) => it.name === service).map((it) => ({
      ...it,
      verdict: "healthy", // that it works is what it is rolled back for
      image: reference,
      image_id: id,
      digests: [],
      tag_id: id,
      containers: containers.map((now) => savedContainer(now, id)),
    })),
    config: { ...stack.config, roots: [] },
    data: [],
    images: [],
    records: await context.writer.addBytes(
      new TextEncoder().encode(JSON.stringify({ containers: records, volumes: [], networks })),
    ),
  };
  const tags = new Map([[reference, id]]);
  return {
    ...captured,
    state: JSON.parse(JSON.stringify(state)),
    metadata: { ...captured.metadata, docker_images: { [service]: reference }, image_ids: { [service]: id } },
    roots: [{ kind: "content", content: state.records }, { kind: "tree", content: state.config.tree }],
    fingerprint: await fingerprintOf(target, { ...world, containers }, tags, context),
  };
}

interface NewRecords {
  readonly records: readonly JsonObject[];
  readonly networks: readonly JsonObject[];
}

/** Where the image is gone, only the snapshot that ran it says how: what of a container is the image's own is not known. */
async function recordsOn(
  world: World,
  service: string,
  { reference, id, saved }: ServiceImage,
  context: CaptureContext,
): Promise<NewRecords> {
  const { engine } = world;
  const image = await engine.imageRecord(id);
  if (image === undefined && saved !== undefined) {
    const stack = readStack(saved);
    const { containers, networks } = await readRecords(stack, context.store);
    const ids = stack.services.filter((it) => it.name === service).flatMap((it) =>
      it.containers.map((own) => own.id)
    );
    return { records: ids.map((it) => containers.get(it)).filter((it) => it !== undefined), networks };
  }
  const current = await engine.records(world.containers.map((it) => it.id));
  const records = await Promise.all(current.map(async (record) => {
    const old = await engine.imageRecord(containerOf(record, engine.kind).imageId);
    return onOtherImage(record, old, { reference, id, record: image ?? {} });
  }));
  const names = [...new Set(world.containers.flatMap((it) => it.networks))];
  const networks = await Promise.all(names.map((it) => engine.network(it)));
  return { records, networks: networks.filter((it) => it !== undefined) };
}

function savedContainer(now: Container, id: string): SavedContainer {
  return {
    number: now.number,
    name: now.name,
    id: now.id,
    image_id: id,
    config_hash: now.configHash,
    state: "running",
    health: "none",
    networks: now.networks,
  };
}

/** `redis:7 (sha256:0123456789ab)`. */
export function imageText({ reference, id }: Pick<ServiceImage, "reference" | "id">): string {
  return reference === id ? shortId(id) : `${reference} (${shortId(id)})`;
}
