/** The target as it is now, and as it was saved. */
import { sha256Hex } from "#/core/sha256.ts";
import { join, resolve } from "node:path";
import * as z from "zod";
import { IntegrityError } from "#/core/errors.ts";
import { canonicalJson } from "#/core/json.ts";
import type { ContentRef, SavedTarget } from "#/store/model.ts";
import type { StoreReader } from "#/store/store.ts";
import type { InfrastructureConfig } from "../infrastructure.ts";
import { keptChanges } from "../kept/compare.ts";
import { contentSchema, type KeptFile, keptFileSchema } from "../kept/model.ts";
import type { TargetChange, TargetContext, TargetSpec } from "../target.ts";
import { type Configuration, isConfigurationPath, readConfiguration } from "./files.ts";
import { Terraform } from "./program.ts";
import { type InfrastructureState, readState, selectedWorkspace, stateDigest } from "./state.ts";

export type Target = TargetSpec<InfrastructureConfig>;

const MAX_LISTING = 256 << 20;

export interface World {
  readonly configuration: Configuration;
  readonly workspace: string;
  readonly state: InfrastructureState | undefined;
  /** Why there is no state. */
  readonly reason: string | undefined;
}

export function folderOf(target: Target, context: TargetContext): string {
  return resolve(context.folder, target.config.path);
}

export function varFilesOf(target: Target, context: TargetContext): readonly string[] {
  return (target.config.var_files ?? []).map((it) => resolve(folderOf(target, context), it));
}

/** The program in the working folder. */
export function terraformOf(target: Target, context: TargetContext, workspace?: string): Terraform {
  const { program = "terraform", env = {} } = target.config;
  const plain = new Set<unknown>(Object.values((target.written["env"] ?? {}) as Record<string, unknown>));
  const secrets = Object.values(env).filter((it) => it !== "" && !plain.has(it));
  return new Terraform(folderOf(target, context), { program, env, secrets }, context, workspace);
}

export async function lookAtTarget(target: Target, context: TargetContext): Promise<World> {
  const folder = folderOf(target, context);
  const options = { folder, exclude: target.config.exclude ?? [], varFiles: varFilesOf(target, context) };
  const configuration = await readConfiguration(options, context.signal);
  const workspace = target.config.workspace ?? selectedWorkspace(folder);
  const { state, reason } = await readState(terraformOf(target, context, workspace), workspace);
  return { configuration, workspace, state, reason };
}

export function fingerprintOf({ configuration, workspace, state }: World): string {
  const file = (it: KeptFile) => [it.path, it.kind, it.mode ?? null, it.sha256 ?? it.target ?? null];
  const value = canonicalJson({
    inside: configuration.inside.map(file),
    outside: configuration.outside.map(file),
    workspace,
    state: stateDigest(state),
  });
  return sha256Hex(value);
}

const listing = z.object({
  format: z.literal(1),
  workspace: z.string().regex(/^[A-Za-z0-9._~-]+$/),
  inside: z.array(keptFileSchema),
  outside: z.array(keptFileSchema),
  /** As the backend gave it; null where it could not be read. */
  state: contentSchema.nullable(),
  state_digest: z.string().nullable(),
});

export interface Listing {
  readonly format: 1;
  readonly workspace: string;
  readonly inside: readonly KeptFile[];
  readonly outside: readonly KeptFile[];
  readonly state: ContentRef | null;
  readonly state_digest: string | null;
}

/** @throws {IntegrityError} it is not what a capture writes, or names what is no configuration of this target */
export async function readListing(
  saved: SavedTarget,
  store: StoreReader,
  varFiles?: readonly string[],
): Promise<Listing> {
  const where = contentSchema.safeParse(saved.state["listing"]);
  if (!where.success) throw damaged(saved, "it does not say where its listing is");
  const bytes = await store.readBytes(where.data as ContentRef, { maxBytes: MAX_LISTING });
  const parsed = listing.safeParse(JSON.parse(new TextDecoder().decode(bytes)));
  if (!parsed.success) throw damaged(saved, z.prettifyError(parsed.error));
  const { inside, outside } = parsed.data;
  const odd = inside.find((it) => !isConfigurationPath(it.path)) ??
    outside.find((it) => varFiles !== undefined && !varFiles.includes(it.path));
  if (odd !== undefined) throw damaged(saved, `it names ${JSON.stringify(odd.path)}`);
  return parsed.data as Listing;
}

function damaged(saved: SavedTarget, what: string): IntegrityError {
  return new IntegrityError(`The snapshot of ${saved.name} is damaged: ${what}`, {
    hint: "Check the store with `backout snapshot verify --read-data`, and restore another snapshot.",
  });
}

/** Files of the folder that are to be changed, those that came later among them; absent where they are to go. */
export function filesToPlace(now: readonly KeptFile[], wanted: readonly KeptFile[]): readonly KeptFile[] {
  const known = new Set(wanted.map((it) => it.path));
  const later = now.filter((it) => !known.has(it.path)).map((it): KeptFile => ({
    path: it.path,
    kind: "absent",
  }));
  const all = [...wanted, ...later];
  const differing = new Set(keptChanges(now, all).map((it) => it.path));
  return all.filter((it) => differing.has(it.path));
}

/** The same as lines for people. */
export function fileChanges(
  now: Pick<Configuration, "inside" | "outside">,
  wanted: Pick<Configuration, "inside" | "outside">,
  folder: string,
): readonly TargetChange[] {
  const inside = keptChanges(now.inside, [...wanted.inside, ...filesToPlace(now.inside, wanted.inside)]);
  const lines = new Map(inside.map((it) => [it.path, { ...it, path: join(folder, it.path) }]));
  return [...lines.values(), ...keptChanges(now.outside, wanted.outside)];
}
