/** Puts the configuration back, applies the program's own plan for it, and looks whether the world matches. */
import { join } from "node:path";
import { RollbackError } from "#/core/errors.ts";
import type { SavedTarget } from "#/store/model.ts";
import { keptChanges } from "../kept/compare.ts";
import { placeFiles } from "../kept/place.ts";
import type { RestoreContext, Restored } from "../target.ts";
import { readConfiguration } from "./files.ts";
import { variablesOf } from "./plan.ts";
import { changesOf } from "./scratch.ts";
import { selectedWorkspace } from "./state.ts";
import {
  filesToPlace,
  folderOf,
  type Listing,
  readListing,
  type Target,
  terraformOf,
  varFilesOf,
} from "./world.ts";

export async function restore(
  target: Target,
  saved: SavedTarget,
  context: RestoreContext,
): Promise<Restored> {
  const listing = await readListing(saved, context.store, varFilesOf(target, context));
  const files = await restoreFiles(target, listing, context);
  const isSelected = await selectWorkspace(target, listing, context);
  const applied = target.config.apply === false ? 0 : await apply(target, listing, context);
  // The program writes its lock file anew where it was missing.
  const again = await restoreFiles(target, listing, context);
  return {
    method: "infrastructure_apply",
    changed: files.changed + again.changed + applied + (isSelected ? 1 : 0),
    removed: files.removed + again.removed,
    bytes: files.bytes + again.bytes,
    details: { workspace: listing.workspace, files: files.changed, applied },
    warnings: target.config.apply === false ? [`${target.name}: nothing was applied (\`apply: false\`)`] : [],
  };
}

async function restoreFiles(
  target: Target,
  listing: Listing,
  context: RestoreContext,
): Promise<{ changed: number; removed: number; bytes: number }> {
  const folder = folderOf(target, context);
  const options = { folder, exclude: target.config.exclude ?? [], varFiles: varFilesOf(target, context) };
  const now = await readConfiguration(options, context.signal);
  const inside = filesToPlace(now.inside, listing.inside);
  const differing = new Set(keptChanges(now.outside, listing.outside).map((it) => it.path));
  const outside = listing.outside.filter((it) => differing.has(it.path));
  await placeFiles(inside, folder, context.scratch, context);
  await placeFiles(outside, "/", context.scratch, context);
  const all = [...inside, ...outside];
  const removed = all.filter((it) => it.kind === "absent").length;
  return { changed: all.length - removed, removed, bytes: all.reduce((sum, it) => sum + (it.size ?? 0), 0) };
}

/** Only where the target does not say which: then the selected one is a part of it. */
async function selectWorkspace(target: Target, listing: Listing, context: RestoreContext): Promise<boolean> {
  if (target.config.workspace !== undefined) return false;
  const terraform = terraformOf(target, context);
  if (selectedWorkspace(terraform.folder) === listing.workspace) return false;
  await terraform.init();
  await terraform.run(["workspace", "select", "-no-color", listing.workspace]);
  return true;
}

/** @returns how many resources and outputs were changed */
async function apply(target: Target, listing: Listing, context: RestoreContext): Promise<number> {
  const terraform = terraformOf(target, context, listing.workspace);
  const variables = variablesOf(target, context);
  await terraform.init();
  const plan = join(context.scratch, `apply-${crypto.randomUUID()}.tfplan`);
  if (!await terraform.plan(plan, variables)) return 0;
  const changes = changesOf(await terraform.showPlan(plan));
  await terraform.apply(plan);
  const after = join(context.scratch, `after-${crypto.randomUUID()}.tfplan`);
  if (await terraform.plan(after, variables)) {
    const rest = changesOf(await terraform.showPlan(after)).map((it) => it.address);
    throw new RollbackError(
      `The restored configuration of ${target.name} was applied, but the world does not match it: ${
        rest.join(", ")
      }`,
      {
        hint: `Look with: ${terraform.settings.program} plan, in ${terraform.folder}`,
        context: { remaining: rest },
      },
    );
  }
  return changes.length;
}
