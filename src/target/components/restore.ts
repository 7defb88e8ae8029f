/** Brings components to a state: checkouts first, four at a time, then the documents. */
import { dirname, join } from "node:path";
import * as posix from "#/core/posix.ts";
import { syncFilesystem } from "#/core/posix_native.ts";
import { mapLimited } from "#/storage/limit.ts";
import type { SavedTarget } from "#/store/model.ts";
import type { ComponentsConfig } from "../components.ts";
import type { RestoreContext, Restored, TargetSpec } from "../target.ts";
import { openCheckout } from "./checkout.ts";
import { GIT_AT_ONCE, whenUnlocked } from "./git_batch.ts";
import { placeDocument, removeLeftovers } from "./files.ts";
import { stateOf } from "./model.ts";
import { moveCheckout } from "./move.ts";
import { moveMany } from "./move_many.ts";
import { clearStage, readMove } from "./stage.ts";

/** May be called again after a crash at any point inside it. */
export async function restore(
  { config }: TargetSpec<ComponentsConfig>,
  saved: SavedTarget,
  context: RestoreContext,
): Promise<Restored> {
  const { checkouts, files } = stateOf(saved);
  const root = config.path;
  let done = 0;
  const tell = () => context.onProgress(++done, checkouts.length, "files");
  if (checkouts.some(({ name }) => isInterrupted(root, name))) {
    await whenUnlocked(join(root, "components"), context);
  }
  const outcomes = await moveMany(checkouts, { ...context, root }, tell);
  const moves = await mapLimited(checkouts, GIT_AT_ONCE, async (wanted, i) => {
    if (outcomes[i] !== "alone") return outcomes[i] === "moved";
    const moved = await moveCheckout(wanted, { ...context, root });
    tell();
    return moved;
  }, context.signal);
  removeLeftovers(root, files);
  let replaced = 0;
  for (const file of files) if (await placeDocument(root, file, context.store)) replaced++;
  const changed = moves.filter(Boolean).length;
  // Git does not wait until what it checked out is on the disk; and the notes of the moves are needed until it is.
  if (changed > 0) makeDurable(root);
  for (const { name } of checkouts) {
    const checkout = openCheckout(root, name);
    if (checkout !== undefined) clearStage(checkout);
  }
  return {
    method: "components_checkout",
    changed: changed + replaced,
    removed: 0,
    bytes: 0,
    details: { checkouts: changed, documents: replaced },
    warnings: [],
  };
}

function isInterrupted(root: string, name: string): boolean {
  const checkout = openCheckout(root, name);
  return checkout !== undefined && readMove(checkout) !== undefined;
}

function makeDurable(root: string): void {
  const folder = join(root, "components");
  syncFilesystem(posix.lstat(folder) === undefined ? dirname(folder) : folder);
}
