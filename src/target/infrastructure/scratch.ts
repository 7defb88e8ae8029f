/** A copy of the saved configuration with a copy of today's state, where a plan changes nothing. */
import { basename, join, relative } from "node:path";
import { makeFolders } from "#/core/output_file.ts";
import * as posix from "#/core/posix.ts";
import { placeFiles } from "../kept/place.ts";
import type { PlanContext } from "../target.ts";
import { asObject, type Terraform } from "./program.ts";
import type { InfrastructureState } from "./state.ts";
import type { Listing } from "./world.ts";

/** Whatever the configuration says: this plan reads a file of its own. */
const OVERRIDE = `terraform {\n  backend "local" {}\n}\n`;

export interface ResourceChange {
  readonly address: string;
  readonly actions: readonly string[];
}

/**
 * Plans the saved configuration against today's state.
 * @param varFiles absolute paths, as the target names them; their saved contents are used
 * @throws {ProgramError} the plan cannot be made
 */
export async function planInScratch(
  terraform: Terraform,
  listing: Listing,
  state: InfrastructureState,
  varFiles: readonly string[],
  context: PlanContext,
): Promise<readonly ResourceChange[]> {
  const folder = join(context.scratch, `plan-${crypto.randomUUID()}`);
  posix.mkdir(folder, 0o700);
  await placeFiles(listing.inside.filter((it) => it.kind !== "absent"), folder, context.scratch, context);
  posix.writeNewFile(join(folder, "backout_override.tf"), new TextEncoder().encode(OVERRIDE));
  copyModules(terraform.folder, folder);
  const plugins = join(terraform.folder, ".terraform/providers");
  await terraform.in(folder).init(posix.lstat(plugins) === undefined ? [] : [`-plugin-dir=${plugins}`]);
  // After init, which would ask whether to take it over.
  if (state.bytes.length > 0) {
    const place = listing.workspace === "default"
      ? folder
      : join(folder, "terraform.tfstate.d", listing.workspace);
    makeFolders(place);
    posix.writeNewFile(join(place, "terraform.tfstate"), state.bytes, 0o600);
  } else if (listing.workspace !== "default") {
    makeFolders(join(folder, "terraform.tfstate.d", listing.workspace));
  }
  const here = terraform.in(folder, listing.workspace);
  const saved = join(folder, "backout.tfplan");
  const variables = await placeVariables(terraform.folder, folder, listing, varFiles, context);
  if (!await here.plan(saved, variables)) return [];
  return changesOf(await here.showPlan(saved));
}

async function placeVariables(
  from: string,
  to: string,
  listing: Listing,
  varFiles: readonly string[],
  context: PlanContext,
): Promise<readonly string[]> {
  const options: string[] = [];
  for (const path of varFiles) {
    const kept = listing.outside.find((it) => it.path === path);
    if (kept === undefined) options.push(`-var-file=${join(to, relative(from, path))}`);
    else if (kept.kind !== "absent") {
      const { owner: _owner, ...plain } = kept;
      const name = `backout-${crypto.randomUUID()}-${basename(path)}`;
      await placeFiles([{ ...plain, path: name }], context.scratch, context.scratch, context);
      options.push(`-var-file=${join(context.scratch, name)}`);
    }
  }
  return options;
}

/** Modules from elsewhere, as they were downloaded. */
function copyModules(from: string, to: string): void {
  const modules = join(from, ".terraform/modules");
  if (posix.lstat(modules)?.isDirectory === true) copyFolder(modules, join(to, ".terraform/modules"));
}

function copyFolder(from: string, to: string): void {
  makeFolders(to);
  for (const entry of posix.readFolder(from) ?? []) {
    if (entry.name === ".git") continue;
    if (entry.isDirectory) copyFolder(join(from, entry.name), join(to, entry.name));
    else if (entry.isFile) posix.copyFile(join(from, entry.name), join(to, entry.name));
  }
}

/** Addresses and actions; never values. */
export function changesOf(plan: ReturnType<typeof asObject>): readonly ResourceChange[] {
  const resources = Array.isArray(plan["resource_changes"]) ? plan["resource_changes"] : [];
  const outputs = Object.entries(asObject(plan["output_changes"])).map(([name, it]) => ({
    name,
    change: asObject(it),
  }));
  const all = [
    ...resources.map((it) => ({
      address: String(asObject(it)["address"]),
      change: asObject(asObject(it)["change"]),
    })),
    ...outputs.map(({ name, change }) => ({ address: `output.${name}`, change })),
  ];
  return all.map(({ address, change }) => ({ address, actions: actionsOf(change) }))
    .filter(({ actions }) => actions.some((it) => it !== "no-op" && it !== "read"));
}

function actionsOf(change: ReturnType<typeof asObject>): readonly string[] {
  return Array.isArray(change["actions"]) ? change["actions"].map(String) : [];
}
