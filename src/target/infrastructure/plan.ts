/** What a restore would do: to the files, and by the program's own plan to the world. */
import type { SavedTarget } from "#/store/model.ts";
import { ProgramError } from "../run_program.ts";
import type { PlanContext, TargetChange, TargetPlan } from "../target.ts";
import { planInScratch, type ResourceChange } from "./scratch.ts";
import { stateDigest } from "./state.ts";
import {
  fileChanges,
  folderOf,
  type Listing,
  lookAtTarget,
  readListing,
  type Target,
  terraformOf,
  varFilesOf,
  type World,
} from "./world.ts";

export async function plan(target: Target, saved: SavedTarget, context: PlanContext): Promise<TargetPlan> {
  const listing = await readListing(saved, context.store, varFilesOf(target, context));
  const world = await lookAtTarget(target, context);
  const files = fileChanges(world.configuration, listing, folderOf(target, context));
  const selected: TargetChange[] = world.workspace === listing.workspace
    ? []
    : [{ action: "run", path: "workspace", detail: `select ${listing.workspace}` }];
  const problems = context.options.paths.length === 0
    ? []
    : [`${target.name}: infrastructure is restored as a whole, not by single paths`];
  const { resources, warnings } = await worldChanges(target, listing, world, context);
  const changes = [...files, ...selected, ...resources];
  const actions = resources.length;
  return {
    changes,
    summary: changes.length === 0
      ? "nothing to do"
      : `restore ${files.length} ${files.length === 1 ? "file" : "files"}, change ${actions} ${
        actions === 1 ? "resource or output" : "resources and outputs"
      }`,
    problems,
    uncommitted: [],
    warnings,
  };
}

async function worldChanges(
  target: Target,
  listing: Listing,
  world: World,
  context: PlanContext,
): Promise<{ resources: readonly TargetChange[]; warnings: readonly string[] }> {
  const { name, config } = target;
  if (config.apply === false) {
    const differs = stateDigest(world.state) !== listing.state_digest;
    const warning = `${name}: what it manages is not as it was; with \`apply: false\` it stays as it is`;
    return { resources: [], warnings: differs ? [warning] : [] };
  }
  if (world.state === undefined) {
    const warning =
      `${name}: what will change in the world is not known before the configuration is back: ${world.reason}`;
    return { resources: [], warnings: [warning] };
  }
  try {
    const varFiles = varFilesOf(target, context);
    const found = await planInScratch(terraformOf(target, context), listing, world.state, varFiles, context);
    return { resources: found.map(asChange), warnings: [] };
  } catch (error) {
    if (!(error instanceof ProgramError)) throw error;
    // The copy lacks what lies outside of the folder; the run plans again in its place.
    const warning =
      `${name}: what will change in the world is not known before the configuration is back: ${error.message}`;
    return { resources: [], warnings: [warning] };
  }
}

/** Variable files of the restored configuration lie where they always lie. */
export function variablesOf(target: Target, context: PlanContext): readonly string[] {
  return varFilesOf(target, context).map((it) => `-var-file=${it}`);
}

function asChange({ address, actions }: ResourceChange): TargetChange {
  const path = address;
  if (actions.includes("create") && actions.includes("delete")) {
    return { action: "replace", path, detail: "made anew" };
  }
  if (actions.includes("create")) return { action: "create", path };
  if (actions.includes("delete")) return { action: "remove", path };
  return { action: "attributes", path };
}
