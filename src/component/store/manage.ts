/** What is changed of entries that exist: pinned, or sent to the remote store. */
import { UsageError } from "#/core/errors.ts";
import { entryNotFound, type EntryView, findEntry, listEntries, viewOf } from "../entry/entry.ts";
import { type EntryOptions, withStores } from "../entry/stores.ts";
import { sendEntries, sendPending, type Sent } from "../entry/transfer.ts";

/** A pinned entry is kept by every collection. @throws {RollbackVersionNotFoundError} 40 */
export async function pinEntry(
  options: EntryOptions & { readonly hash: string; readonly pin: boolean },
): Promise<EntryView> {
  return await withStores(options, async ({ local }) => {
    const found = await findEntry(local, "store", options.hash);
    if (found === undefined) throw entryNotFound("store", options.hash, [local.location]);
    return viewOf(await local.updateSnapshot(found.id, { pinned: options.pin }));
  });
}

export interface SyncEntriesOptions extends EntryOptions {
  /** Also what was never meant to be sent. @default false: what waits */
  readonly all?: boolean;
}

/** Sends entries that wait for the remote store. Undefined where it cannot be reached. @throws {UsageError} none is named */
export async function syncEntries(options: SyncEntriesOptions): Promise<Sent | undefined> {
  if (options.remote === undefined) {
    throw new UsageError("No remote store was given", { hint: "Add --remote s3://bucket/prefix." });
  }
  return await withStores(options, async (stores) => {
    if (options.all !== true) {
      const sent = await sendPending(stores, options);
      // Nothing may wait, and nobody was asked yet.
      if (await stores.remote(() => Promise.resolve(true)) === undefined) return undefined;
      return sent;
    }
    const { entries } = await listEntries(stores.local);
    return await sendEntries(stores, options, entries);
  });
}
