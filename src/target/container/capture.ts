/** Takes a snapshot of a stack. */
import { hostname } from "node:os";
import { messageOf, RollbackBackupError, RollbackVersionNotFoundError, UsageError } from "#/core/errors.ts";
import type { JsonObject } from "#/core/json.ts";
import { lstat } from "#/core/posix.ts";
import type { ContentRef, SavedTarget, StoredRoot } from "#/store/model.ts";
import { backupError } from "../program_error.ts";
import { ProgramError, programText } from "../run_program.ts";
import type { CaptureContext, Captured } from "../target.ts";
import { isContent } from "../tree/entry.ts";
import { type Resolved, resolveFiles } from "./compose.ts";
import { copyData } from "./copy_data.ts";
import { captureData } from "./data.ts";
import { describeServices } from "./describe_services.ts";
import { fingerprintOf, tagsOf } from "./fingerprint.ts";
import { saveImages, shortId } from "./images.ts";
import { lookAtStack, type Target, type World } from "./look.ts";
import type { SavedService, SavedStack } from "./model.ts";
import { readStack } from "./stack.ts";

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
    containers: await recordsOf(world),
    volumes: await volumeRecords(world),
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
  const state: SavedTarget["state"] = JSON.parse(JSON.stringify(stack));
  refuseUnrestorable(target, state);
  return {
    method: "compose_stack",
    metadata: metadataOf(stack, await engine.describe(), config.digests),
    state,
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

/** A snapshot that no restore would believe is none. */
function refuseUnrestorable({ name }: Target, state: SavedTarget["state"]): void {
  try {
    readStack({ name, state });
  } catch (error) {
    throw new RollbackBackupError(`${name} has a name that a restore would not take: ${messageOf(error)}`, {
      hint: "Call it otherwise (letters, digits, _ . -), then take the snapshot again.",
      cause: error,
    });
  }
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

function previousConfig(previous: SavedTarget | undefined): ContentRef | undefined {
  const config = previous?.type === "container" ? previous.state["config"] : undefined;
  const tree = (config as { tree?: unknown } | undefined)?.tree;
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

/** @throws {RollbackBackupError} one of the containers is not there any more */
async function recordsOf({ engine, containers }: World): Promise<readonly JsonObject[]> {
  const records = await engine.records(containers.map((it) => it.id));
  if (records.length === containers.length) return records;
  throw new RollbackBackupError("The stack was changed while it was captured", {
    hint: "Wait until nobody changes it, then take the snapshot again.",
  });
}

async function volumeRecords(
  { engine, volumes }: World,
): Promise<readonly unknown[]> {
  return [...(await engine.volumes(volumes)).values()].map(({ name, labels, driver, hasOptions }) => ({
    ...{ name, labels },
    plain: driver === "local" && !hasOptions,
  }));
}

function addJson(context: CaptureContext, value: unknown): Promise<ContentRef> {
  return context.writer.addBytes(encode(JSON.stringify(value)));
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
