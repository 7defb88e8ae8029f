/** Takes a snapshot of a stack. */
import { hostname } from "node:os";
import { RollbackBackupError, RollbackVersionNotFoundError, UsageError } from "#/core/errors.ts";
import { lstat } from "#/core/posix.ts";
import type { ContentRef, SavedTarget, StoredRoot } from "#/store/model.ts";
import { backupError } from "../program_error.ts";
import { ProgramError, programText } from "../run_program.ts";
import type { CaptureContext, Captured } from "../target.ts";
import { isContent } from "../tree/entry.ts";
import { type Resolved, resolveFiles } from "./compose.ts";
import { captureData } from "./data.ts";
import { fingerprintOf, tagsOf } from "./fingerprint.ts";
import { holding } from "./hold.ts";
import { saveImages, shortId } from "./images.ts";
import { accessTo, askOnce, knownOf, servicesOf } from "./know.ts";
import { lookAtStack, type Target, type World } from "./look.ts";
import type { Container, SavedData, SavedService, SavedStack } from "./model.ts";
import { inOrder, startOrder } from "./order.ts";
import { describe, findData, strangersOf } from "./volumes.ts";

/** Of so many configuration files the digests are told. */
const DIGESTS = 200;

/** @throws {RollbackVersionNotFoundError} 40: there is no such stack; {RollbackBackupError} 45 */
export async function capture(target: Target, context: CaptureContext): Promise<Captured> {
  try {
    return await captureStack(target, context);
  } catch (error) {
    throw backupError(error);
  }
}

async function captureStack(target: Target, context: CaptureContext): Promise<Captured> {
  const world = await lookAtStack(target, context);
  refuseAbsent(target, world);
  const { engine, project, containers } = world;
  const resolved = await resolveFiles(project, target.config, engine.kind, context);
  refuseUnreadable(world, resolved);
  const tags = await tagsOf(engine, containers.map((it) => it.image));
  const services = await describeServices(target, world, tags, context);
  const config = await captureData(world.configRoots, [], previousConfig(context.previous), context, DIGESTS);
  const data = target.config.include_volumes ? await copyData(target, world, context) : [];
  const images = target.config.include_images ? await saveImages(engine, services, context) : [];
  const networks = [...new Set(containers.flatMap((it) => it.networks))].sort();
  const records = await addJson(context, {
    containers: await engine.records(containers.map((it) => it.id)),
    volumes: await volumeLabels(world),
    networks: (await Promise.all(networks.map((it) => engine.network(it)))).filter((it) => it !== undefined),
  });
  const text = resolved.text === undefined ? null : await context.writer.addBytes(encode(resolved.text));
  const stack: SavedStack = {
    format: 1,
    engine: engine.kind,
    compose: resolved.program,
    project: project.name,
    folder: project.folder,
    compose_files: project.composeFiles.filter((it) => lstat(it) !== undefined),
    env_files: target.config.env_files ?? [],
    profiles: target.config.profiles ?? [],
    host: hostname(),
    git_commit: await commitOf(project.folder, context),
    scope: target.config.services ?? null,
    services,
    networks,
    config: { tree: config.root, roots: world.configRoots },
    resolved: text,
    records,
    data,
    images,
  };
  return {
    method: "compose_stack",
    metadata: metadataOf(stack, await engine.describe(), config.digests),
    state: JSON.parse(JSON.stringify(stack)),
    roots: rootsOf(stack),
    fingerprint: await fingerprintOf(target, world, tags, context, {
      config: config.fingerprint,
      data: new Map(data.map((it) => [it.path, it.fingerprint])),
    }),
    files: config.files + data.reduce((sum, it) => sum + it.files, 0),
    bytes: config.bytes + [...data, ...images.map((it) => ({ bytes: it.archive.size }))]
      .reduce((sum, it) => sum + it.bytes, 0),
    warnings: [
      ...config.warnings.filter((it) => !it.startsWith("Not there")),
      ...warningsOf(target, world, services, resolved),
    ],
  };
}

function refuseAbsent(target: Target, { project, containers }: World): void {
  const unknown = (target.config.services ?? []).filter((name) =>
    !project.facts.needs.has(name) && !containers.some((it) => it.service === name)
  );
  if (unknown.length > 0) {
    throw new UsageError(`${target.name}: no such service: ${unknown.join(", ")}`, {
      hint: `The stack has ${[...project.facts.needs.keys()].sort().join(", ") || "none"}.`,
    });
  }
  if (containers.length > 0 || project.composeFiles.some((it) => lstat(it) !== undefined)) return;
  throw new RollbackVersionNotFoundError(
    `Cannot capture ${
      JSON.stringify(target.name)
    }: there is no compose file in ${project.folder}, and nothing runs ` +
      `as the project ${JSON.stringify(project.name)}`,
    { hint: "Name the files with `compose_files`, or the project with `project`." },
  );
}

/** Where something runs, it can be captured and brought back without compose: a broken file is then only a warning. */
function refuseUnreadable({ project, containers }: World, { problem }: Resolved): void {
  const broken = problem ?? project.facts.problems[0];
  if (broken === undefined || containers.length > 0) return;
  throw new RollbackBackupError(`Cannot capture ${project.name}: compose refuses its files: ${broken}`, {
    hint: "Mend the file, then take the snapshot again.",
    context: { files: [...project.composeFiles] },
  });
}

async function describeServices(
  target: Target,
  { engine, containers, project }: World,
  tags: ReadonlyMap<string, string>,
  context: CaptureContext,
): Promise<readonly SavedService[]> {
  const access = accessTo(engine, context);
  const described: SavedService[] = [];
  for (const service of servicesOf(containers)) {
    const runs = service.containers.some((it) => it.state === "running");
    const verdict = runs ? await askOnce(service, target.config, access) : undefined;
    const first = service.containers[0]!;
    const mounts = service.containers.flatMap((it) => it.mounts);
    const from = (kind: string) =>
      [...new Set(mounts.filter((it) => it.kind === kind).map((it) => it.source))].sort();
    described.push({
      name: service.name,
      verdict: verdict === undefined ? "" : verdict.healthy ? "healthy" : "unhealthy",
      image: first.image,
      image_id: first.imageId,
      digests: (await engine.image(first.imageId))?.digests ?? [],
      tag_id: tags.get(first.image) ?? "",
      containers: service.containers.map(savedContainer),
      depends_on: [...project.facts.needs.get(service.name) ?? labelledNeeds(first)],
      volumes: from("volume").filter((it) => it !== ""),
      binds: from("bind"),
    });
  }
  return described;
}

function savedContainer(it: Container): SavedService["containers"][number] {
  return {
    number: it.number,
    name: it.name,
    id: it.id,
    image_id: it.imageId,
    config_hash: it.configHash,
    state: it.state,
    health: it.health,
    networks: it.networks,
  };
}

/** `db:service_started:false,cache:…`: compose v2 says it on the container. */
function labelledNeeds({ labels }: Container): readonly string[] {
  const said = labels["com.docker.compose.depends_on"] ?? "";
  return said.split(",").filter((it) => it !== "").map((it) => it.split(":")[0]!);
}

/**
 * The content of volumes and folders. Twice where the services are held meanwhile: first while they run, so that only
 * what changed since has to be read while they wait.
 */
async function copyData(
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
  const writers = inOrder(containers, order).filter((it) =>
    it.mounts.some((mount) => mount.writable && mount.kind !== "other")
  );
  const how = target.config.while_copying;
  const earlier = new Map(places.map((it) => [it.path, previousData(context.previous, it.name)]));
  if (how !== "run" && writers.some((it) => it.state === "running")) {
    for (const it of places) {
      const tree = await captureData([it.path], target.config.exclude, earlier.get(it.path), context);
      earlier.set(it.path, tree.root);
    }
  }
  return await holding(engine, writers, how, context, async () => {
    const data: SavedData[] = [];
    for (const it of places) {
      const tree = await captureData([it.path], target.config.exclude, earlier.get(it.path), context);
      const { root, fingerprint, files, bytes } = tree;
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
      for (const warning of await known.beforeCopy?.(service, access) ?? []) context.warn(warning);
    }
  }
}

function previousConfig(previous: SavedTarget | undefined): ContentRef | undefined {
  const config = previous?.type === "container" ? previous.state["config"] : undefined;
  const tree = (config as { tree?: unknown } | undefined)?.tree;
  return isContent(tree) ? tree : undefined;
}

function previousData(previous: SavedTarget | undefined, name: string): ContentRef | undefined {
  const data = previous?.type === "container" ? previous.state["data"] : undefined;
  const found = Array.isArray(data)
    ? data.find((it) => (it as { name?: unknown })?.name === name)
    : undefined;
  const tree = (found as { tree?: unknown } | undefined)?.tree;
  return isContent(tree) ? tree : undefined;
}

async function commitOf(folder: string, context: CaptureContext): Promise<string> {
  if (lstat(folder)?.isDirectory !== true) return "";
  const args = ["-C", folder, "rev-parse", "HEAD"];
  try {
    return (await programText({ program: "git", args, package: "git", context, okCodes: [0, 128] })).trim();
  } catch (error) {
    if (error instanceof ProgramError) return "";
    throw error;
  }
}

function warningsOf(
  target: Target,
  { project, containers, outside, engine }: World,
  services: readonly SavedService[],
  { program, problem }: Resolved,
): readonly string[] {
  const down = containers.filter((it) => it.state === "stopped" && it.exitCode !== 0);
  const moved = services.filter((it) => it.tag_id !== it.image_id && !it.image.startsWith("sha256:"));
  const broken = problem ?? project.facts.problems[0];
  return [
    ...containers.length === 0
      ? [`Nothing of the project ${project.name} runs: a restore will stop what runs then`]
      : [],
    ...down.map((it) => `${it.name} does not run: it ended with code ${it.exitCode}`),
    ...moved.map((it) =>
      `${it.name} runs ${shortId(it.image_id)}, but ${it.image} ` +
      (it.tag_id === ""
        ? "is the name of no image any more"
        : `is another image by now (${shortId(it.tag_id)})`)
    ),
    ...broken === undefined ? [] : [`compose refuses the files, which are kept as they are: ${broken}`],
    ...program === "" && project.composeFiles.length > 0
      ? [`No compose program was found for ${engine.kind}: what the files resolve to is not kept`]
      : [],
    ...target.config.include_volumes && outside.length > 0
      ? [
        `Not kept, since they are outside of the project's folder (name them in bind_mounts): ${
          outside.join(", ")
        }`,
      ]
      : [],
  ];
}

function metadataOf(
  stack: SavedStack,
  engine: string,
  digests: Readonly<Record<string, string>>,
): Captured["metadata"] {
  return {
    project: stack.project,
    project_folder: stack.folder,
    engine,
    compose: stack.compose,
    host: stack.host,
    git_commit: stack.git_commit,
    services: stack.services.map((it) => it.name),
    docker_images: Object.fromEntries(stack.services.map((it) => [it.name, it.image])),
    image_ids: Object.fromEntries(stack.services.map((it) => [it.name, it.image_id])),
    replicas: Object.fromEntries(stack.services.map((it) => [it.name, it.containers.length])),
    health: Object.fromEntries(stack.services.map((it) => [it.name, it.verdict])),
    networks: stack.networks,
    config_files: stack.config.roots,
    config_hashes: digests,
    volumes: stack.data.map((it) => it.name),
    include_volumes: stack.data.length > 0,
    include_images: stack.images.length > 0,
  };
}

function rootsOf(stack: SavedStack): readonly StoredRoot[] {
  return [
    { kind: "tree", content: stack.config.tree },
    ...stack.data.map((it): StoredRoot => ({ kind: "tree", content: it.tree })),
    ...[
      stack.records,
      ...stack.resolved === null ? [] : [stack.resolved],
      ...stack.images.map((it) => it.archive),
    ]
      .map((content): StoredRoot => ({ kind: "content", content })),
  ];
}

async function volumeLabels(
  { engine, volumes }: World,
): Promise<readonly { name: string; labels: unknown }[]> {
  return [...(await engine.volumes(volumes)).values()].map(({ name, labels }) => ({ name, labels }));
}

function addJson(context: CaptureContext, value: unknown): Promise<ContentRef> {
  return context.writer.addBytes(encode(JSON.stringify(value)));
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
