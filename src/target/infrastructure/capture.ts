/** Stores the configuration, and the state for people to look at. */
import { RollbackBackupError } from "#/core/errors.ts";
import type { ContentRef } from "#/store/model.ts";
import { storeFiles } from "../kept/files.ts";
import { backupError } from "../program_error.ts";
import type { CaptureContext, Captured } from "../target.ts";
import { holdsSecrets, resourceCount, shownOutputs, stateDigest } from "./state.ts";
import {
  fingerprintOf,
  folderOf,
  type Listing,
  lookAtTarget,
  type Target,
  terraformOf,
  type World,
} from "./world.ts";

export async function capture(target: Target, context: CaptureContext): Promise<Captured> {
  try {
    return await captureNow(target, context);
  } catch (error) {
    throw backupError(error);
  }
}

async function captureNow(target: Target, context: CaptureContext): Promise<Captured> {
  const { writer, signal } = context;
  const folder = folderOf(target, context);
  const world = await lookAtTarget(target, context);
  const version = await terraformOf(target, context).version();
  // The state before a restore is kept whatever the change has done to the configuration; a first snapshot is not.
  if (world.state === undefined && context.previous === undefined) throw unreadable(folder, world);
  const inside = await storeFiles(world.configuration.inside, folder, writer, signal);
  const outside = await storeFiles(world.configuration.outside, "/", writer, signal);
  const state = world.state === undefined ? null : await writer.addBytes(world.state.bytes);
  const { workspace } = world;
  const listing: Listing = {
    format: 1,
    workspace,
    inside,
    outside,
    state,
    state_digest: stateDigest(world.state),
  };
  const content = await writer.addBytes(new TextEncoder().encode(JSON.stringify(listing)));
  const contents: ContentRef[] = [content, ...(state === null ? [] : [state])];
  for (const it of [...inside, ...outside]) if (it.content !== undefined) contents.push(it.content);
  return {
    method: "infrastructure_state",
    metadata: {
      path: folder,
      program: target.config.program ?? "terraform",
      version,
      workspace,
      resources: resourceCount(world.state),
      serial: Number(world.state?.value["serial"] ?? 0),
      outputs: shownOutputs(world.state),
    },
    state: { listing: { ...content } },
    roots: contents.map((it) => ({ kind: "content", content: it })),
    fingerprint: fingerprintOf(world),
    files: inside.length + outside.length,
    bytes: contents.reduce((sum, it) => sum + it.size, 0),
    warnings: warningsOf(target, world),
  };
}

function warningsOf({ name }: Target, { state, reason }: World): readonly string[] {
  const warnings: string[] = [];
  if (holdsSecrets(state)) {
    warnings.push(`${name}: the state has sensitive values, and is stored; encrypt the store`);
  }
  if (state === undefined) warnings.push(`${name}: the state could not be read and is not stored: ${reason}`);
  return warnings;
}

function unreadable(folder: string, { reason }: World): RollbackBackupError {
  return new RollbackBackupError(`Cannot keep the infrastructure in ${folder}: ${reason}`, {
    hint: "Run init in it, or mend its configuration, then try again.",
    context: { path: folder },
  });
}
