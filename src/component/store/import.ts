/** `store import`: takes over all entries of a `.meta-store`, or what is in an archive. Neither is changed. */
import { basename, resolve } from "node:path";
import { messageOf, RollbackError, RollbackVersionNotFoundError, UsageError } from "#/core/errors.ts";
import { makeTemporaryFolder } from "#/core/output_file.ts";
import * as posix from "#/core/posix.ts";
import { throwIfStopped } from "#/core/pace.ts";
import { attempt, lookAt } from "#/core/system_error.ts";
import { readArchive } from "../archive/read_archive.ts";
import { addEntry } from "../entry/add_entry.ts";
import { parseEntryId } from "../entry/entry.ts";
import { scanSource } from "../entry/scan_source.ts";
import { actor, type EntryOptions, withStores } from "../entry/stores.ts";
import { removeStaged } from "../entry/swap.ts";
import { sendPending } from "../entry/transfer.ts";
import { assertComponentName, META_STORE_FOLDER } from "../model.ts";
import { manifestVersion } from "./facts.ts";
import { importedHashes, importMetaEntry, type ImportView, listMetaStore } from "./meta_store.ts";

export interface ImportStoreOptions extends EntryOptions {
  /** The folder that has `.meta-store`, or a tar archive. @default the meta repository's root */
  readonly from?: string;
  /** What the entries are called: the meta CLI's store does not say. */
  readonly component?: string;
  readonly dryRun?: boolean;
}

/** @throws {RollbackVersionNotFoundError} 40: there is no `.meta-store` */
export async function importMetaStore(options: ImportStoreOptions): Promise<ImportView> {
  const { folder, from = ".", component, dryRun = false, signal } = options;
  if (component !== undefined) assertComponentName(component);
  const given = resolve(folder, from);
  if (lookAt(given) !== undefined && attempt("look at", given, () => Deno.statSync(given)).isFile) {
    return await importArchive(options, given);
  }
  const place = resolve(folder, from).replace(/\/\.meta-store$/, "");
  if (posix.lstat(`${place}/${META_STORE_FOLDER}`) === undefined) {
    throw new RollbackVersionNotFoundError(`There is no ${META_STORE_FOLDER} in ${place}`, {
      hint: "Give the folder that has it.",
    });
  }
  return await withStores(options, async (stores) => {
    const known = await importedHashes(stores.local);
    const imported: { meta_hash: string; hash: string }[] = [];
    const already_there: string[] = [];
    const failed: { meta_hash: string; reason: string }[] = [];
    for (const entry of listMetaStore(place)) {
      throwIfStopped(signal);
      if (known.has(entry.hash)) already_there.push(entry.hash);
      else if (dryRun) imported.push({ meta_hash: entry.hash, hash: "" });
      else {
        try {
          const { id } = await importMetaEntry(stores.local, options, entry, component);
          imported.push({ meta_hash: entry.hash, hash: parseEntryId(id)!.name });
        } catch (error) {
          throwIfStopped(signal);
          if (!(error instanceof RollbackError)) throw error;
          failed.push({ meta_hash: entry.hash, reason: messageOf(error) });
        }
      }
    }
    if (!dryRun) await sendPending(stores, options);
    return { imported, already_there, failed };
  });
}

async function importArchive(options: ImportStoreOptions, path: string): Promise<ImportView> {
  const { component, folder, remote, dryRun = false, signal } = options;
  if (component === undefined) {
    throw new UsageError(`Nothing says which component ${path} is of`, { hint: "Add --component NAME." });
  }
  const unpacked = makeTemporaryFolder("backout-archive-");
  try {
    await readArchive(path, unpacked, signal);
    const source = await scanSource(unpacked, { signal });
    const meta_hash = basename(path);
    if (dryRun) return { imported: [{ meta_hash, hash: "" }], already_there: [], failed: [] };
    return await withStores(options, async (stores) => {
      const { manifest, isNew } = await addEntry(stores.local, source, {
        ...{ kind: "store", component, workspace: folder, now: options.now?.() ?? new Date(), signal },
        ...{ pendingFor: remote, by: actor(options), version: manifestVersion(folder, component) },
      });
      await sendPending(stores, options);
      const imported = isNew ? [{ meta_hash, hash: parseEntryId(manifest.id)!.name }] : [];
      return { imported, already_there: isNew ? [] : [parseEntryId(manifest.id)!.name], failed: [] };
    });
  } finally {
    removeStaged(unpacked);
  }
}
