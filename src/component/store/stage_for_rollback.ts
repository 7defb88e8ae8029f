/**
 * What a rollback of a component to an entry of the store needs: the entry proven and written beside the checkout, to be
 * swapped in by `swapIn` and back by `swapBack` of `../entry/swap.ts`, both of which may be called again after a crash.
 */
import { dirname } from "node:path";
import { RollbackVersionNotFoundError, UsageError } from "#/core/errors.ts";
import { makeFolders } from "#/core/output_file.ts";
import { attempt } from "#/core/system_error.ts";
import { type EntryView, viewOf } from "../entry/entry.ts";
import { provenTree, stageEntry } from "../entry/stage_entry.ts";
import { type EntryOptions, withStores } from "../entry/stores.ts";
import { removeStaged } from "../entry/swap.ts";
import { findAnywhere } from "./get.ts";

export interface StageOptions extends EntryOptions {
  readonly component: string;
  /** Of an entry, or a unique beginning of it: in this machine's store, the remote one, or a `.meta-store`. */
  readonly hash: string;
}

/**
 * Whether an entry can take the place of a component's checkout; nothing is written but what a remote store has.
 * @throws {RollbackVersionNotFoundError} 40: no store has it, or it is another component's
 * @throws {IntegrityError} 54: it is damaged
 */
export async function lookAtEntry(options: StageOptions): Promise<EntryView> {
  return await withStores(options, async (stores) => {
    const { manifest } = await findAnywhere(stores, options, "store", options.hash);
    const tree = await provenTree(stores.local, manifest);
    return usable(viewOf(manifest), options.component, tree.shape === "folder");
  });
}

/**
 * Writes an entry to `staged`, durably; what an earlier try left there goes first.
 * @param staged absolute, on the filesystem of the checkout
 * @throws as `lookAtEntry`
 */
export async function stageForRollback(options: StageOptions, staged: string): Promise<EntryView> {
  return await withStores(options, async (stores) => {
    const { manifest } = await findAnywhere(stores, options, "store", options.hash);
    const tree = await provenTree(stores.local, manifest);
    const entry = usable(viewOf(manifest), options.component, tree.shape === "folder");
    removeStaged(staged);
    attempt("create the folder of", staged, () => makeFolders(dirname(staged)));
    await stageEntry(stores.local, manifest, staged, { durable: true, signal: options.signal });
    return entry;
  });
}

function usable(entry: EntryView, component: string, isFolder: boolean): EntryView {
  if (!isFolder) {
    throw new UsageError(`The entry ${entry.hash.slice(0, 16)} is one file, not a component`, {
      hint: `Write it somewhere with \`backout store get ${entry.hash.slice(0, 16)} --target FILE\`.`,
    });
  }
  // A `.meta-store` does not say of whom its entries are.
  if (entry.component === component || entry.meta_hashes.length > 0) return entry;
  throw new RollbackVersionNotFoundError(
    `The entry ${entry.hash.slice(0, 16)} is of ${entry.component}, not of ${component}`,
    { hint: `See \`backout store list ${component}\`.`, context: { hash: entry.hash, component } },
  );
}
