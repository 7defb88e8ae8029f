/** Fingerprint, differences, and a copy elsewhere. */
import { join } from "node:path";
import { makeFolders } from "#/core/output_file.ts";
import type { SavedTarget } from "#/store/model.ts";
import { placeFiles } from "../kept/place.ts";
import type { PlanContext, Restored, TargetChange, TargetContext } from "../target.ts";
import { stateDigest } from "./state.ts";
import { fileChanges, fingerprintOf, folderOf, lookAtTarget, readListing, type Target } from "./world.ts";

export async function fingerprint(target: Target, context: TargetContext): Promise<string> {
  return fingerprintOf(await lookAtTarget(target, context));
}

export async function diff(
  target: Target,
  from: SavedTarget,
  to: SavedTarget | undefined,
  context: PlanContext,
): Promise<readonly TargetChange[]> {
  const before = await readListing(from, context.store);
  const after = to === undefined ? await now(target, context) : await readListing(to, context.store);
  const changes = [...fileChanges(before, after, folderOf(target, context))];
  if (before.workspace !== after.workspace) {
    changes.push({
      action: "replace",
      path: "workspace",
      detail: `${before.workspace} → ${after.workspace}`,
    });
  }
  if (before.state_digest !== after.state_digest) {
    changes.push({ action: "replace", path: "state", detail: "resources or outputs differ" });
  }
  return changes;
}

async function now(target: Target, context: PlanContext) {
  const { configuration, workspace, state } = await lookAtTarget(target, context);
  return { ...configuration, workspace, state_digest: stateDigest(state) };
}

/** `configuration`, `variables` from elsewhere, and the state as `terraform.tfstate` beside them. */
export async function exportTo(saved: SavedTarget, folder: string, context: PlanContext): Promise<Restored> {
  const listing = await readListing(saved, context.store);
  const inside = listing.inside.filter((it) => it.kind !== "absent");
  makeFolders(join(folder, "configuration"));
  await placeFiles(inside, join(folder, "configuration"), context.scratch, context);
  const outside = listing.outside.filter((it) => it.kind !== "absent");
  if (outside.length > 0) makeFolders(join(folder, "variables"));
  const plain = outside.map(({ owner: _owner, ...it }) => ({ ...it, path: it.path.replace(/^\/+/, "") }));
  await placeFiles(plain, join(folder, "variables"), context.scratch, context);
  if (listing.state !== null) {
    const path = join(folder, "terraform.tfstate");
    await context.store.writeFiles([{ content: listing.state, path }], { signal: context.signal });
  }
  const bytes = [...inside, ...outside].reduce((sum, it) => sum + (it.size ?? 0), 0);
  const changed = inside.length + outside.length;
  return { method: "infrastructure_export", changed, removed: 0, bytes, details: { folder }, warnings: [] };
}
