/** What is changed of entries that exist: pinned, or sent to the remote store. */
import { UsageError } from "#/core/errors.ts";
import { entryNotFound, type EntryView, findEntry, listEntries, pendingOf, viewOf } from "../entry/entry.ts";
import { type EntryOptions, type EntryStores, withStores } from "../entry/stores.ts";
import { sendEntries, sendPending, type Sent } from "../entry/transfer.ts";

const MAX_TRIES = 5;

/** A pinned entry is kept by every collection. @throws {RollbackVersionNotFoundError} 40 */
export async function pinEntry(
  options: EntryOptions & { readonly hash: string; readonly pin: boolean },
): Promise<EntryView> {
  return await withStores(options, async ({ local }) => {
    const found = await findEntry(local, "store", options.hash);
    if (found === undefined) throw entryNotFound("store", options.hash, [local.location]);
    for (let tries = 1;; tries++) {
      await local.updateSnapshot(found.id, { pinned: options.pin });
      // Somebody who changes a label at this moment may write back what was before.
      const now = await local.readSnapshot(found.id);
      if (now?.pinned === options.pin) return viewOf(now);
      if (now === undefined || tries >= MAX_TRIES) {
        throw entryNotFound("store", options.hash, [local.location]);
      }
    }
  });
}

export interface SyncEntriesOptions extends EntryOptions {
  /** Also what was never meant to be sent. @default false: what waits */
  readonly all?: boolean;
  /** Says what would be sent. */
  readonly dryRun?: boolean;
}

/** Sends entries that wait for the remote store. Undefined where it cannot be reached. @throws {UsageError} none is named */
export async function syncEntries(options: SyncEntriesOptions): Promise<Sent | undefined> {
  if (options.remote === undefined) {
    throw new UsageError("No remote store was given", { hint: "Add --remote s3://bucket/prefix." });
  }
  return await withStores(options, async (stores) => {
    if (options.dryRun === true) return await whatWaits(stores, options);
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

/** What would be sent, without asking the remote store what it has. */
async function whatWaits({ local }: EntryStores, { remote, all }: SyncEntriesOptions): Promise<Sent> {
  const { entries } = await listEntries(local);
  const waiting = entries.filter((entry) => all === true || pendingOf(entry).includes(remote!));
  return { sent: waiting.map(({ id }) => id), already_there: [], failed: [], bytes: 0 };
}
