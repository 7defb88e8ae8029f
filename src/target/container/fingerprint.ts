/** What makes two states of a stack equal. */
import { canonicalJson } from "#/core/json.ts";
import { sha256Hex } from "#/core/sha256.ts";
import type { TargetContext } from "../target.ts";
import { fingerprintData, putBackAs } from "./data.ts";
import type { CliEngine } from "./engine.ts";
import { lookAtStack, type Target, type World } from "./look.ts";
import { findData } from "./volumes.ts";

/** What each reference is the name of now. */
export async function tagsOf(
  engine: CliEngine,
  references: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const distinct = [...new Set(references)].filter((it) => it !== "").sort();
  const ids = await Promise.all(
    distinct.map(async (it) => [it, (await engine.image(it))?.id ?? ""] as const),
  );
  return new Map(ids);
}

/** Digests that a capture has already. */
export interface KnownDigests {
  readonly config: string;
  /** By the path of the volume's or folder's content. */
  readonly data: ReadonlyMap<string, string>;
}

/**
 * Images by id, what the containers are made from, replicas, whether they run, what the references point at, the
 * configuration files, and where they are included the contents. Not: ids of containers, what healthchecks say.
 */
export async function fingerprintOf(
  target: Target,
  world: World,
  tags: ReadonlyMap<string, string>,
  context: TargetContext,
  known?: KnownDigests,
): Promise<string> {
  const config = known?.config ?? await fingerprintData(world.configRoots, [], context);
  const data = target.config.include_volumes ? await dataDigests(target, world, context, known) : [];
  const run = new Set(world.containers.map((it) => it.imageId));
  return sha256Hex(canonicalJson({
    project: world.project.name,
    containers: world.containers.map((it) => [it.service, it.number, it.imageId, it.configHash, it.state]),
    tags: [...tags].map(([reference, id]) => [reference, run.has(id) ? id : "another"]),
    config,
    data,
  }));
}

async function dataDigests(
  target: Target,
  world: World,
  context: TargetContext,
  known: KnownDigests | undefined,
): Promise<readonly (readonly [string, string])[]> {
  const digests: (readonly [string, string])[] = [];
  for (const { name, path } of await findData(world)) {
    const digest = known?.data.get(path) ?? await dataDigest(target, world, name, path, context);
    digests.push([name, digest]);
  }
  return digests;
}

/** A service that was started on what was put back goes on writing: it counts as what it was when it was put back. */
async function dataDigest(
  target: Target,
  { containers }: World,
  name: string,
  path: string,
  context: TargetContext,
): Promise<string> {
  const lives = containers.some((it) =>
    it.state === "running" && it.mounts.some((mount) => mount.writable && mount.source === name)
  );
  const before = lives ? putBackAs(path) : undefined;
  return before ?? await fingerprintData([path], target.config.exclude, context);
}

export async function fingerprint(target: Target, context: TargetContext): Promise<string> {
  const world = await lookAtStack(target, context);
  const tags = await tagsOf(world.engine, world.containers.map((it) => it.image));
  return await fingerprintOf(target, world, tags, context);
}
