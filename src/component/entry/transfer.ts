/** Entries on their way between this machine's store and a remote one: each is proven before it counts. */
import { createHash } from "node:crypto";
import { IntegrityError, StorageError } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import type { SnapshotManifest } from "#/store/model.ts";
import type { SnapshotStore } from "#/store/store.ts";
import { syncStores } from "#/store/sync.ts";
import { EntryLabel, listEntries, pendingOf, relabel } from "./entry.ts";
import type { EntryTree } from "./entry_tree.ts";
import { isDamaged, isProvenByName, provenTree } from "./stage_entry.ts";
import type { EntryOptions, EntryStores } from "./stores.ts";

export interface Sent {
  /** Ids of manifests. */
  readonly sent: readonly string[];
  readonly already_there: readonly string[];
  /** Damaged here, so not sent. */
  readonly failed: readonly { readonly id: string; readonly reason: string }[];
  /** Bytes that were added there. */
  readonly bytes: number;
}

const NOTHING: Sent = { sent: [], already_there: [], failed: [], bytes: 0 };

/** Sends entries to the remote store. Undefined where nothing is heard of it: they go on waiting. */
export async function sendEntries(
  { local, remote }: EntryStores,
  options: EntryOptions,
  manifests: readonly SnapshotManifest[],
): Promise<Sent | undefined> {
  if (options.remote === undefined) return undefined;
  const { signal } = options;
  const only = manifests.map(({ id }) => id);
  const report = await remote((store) => syncStores(local, store, { only, signal, labels: labelsElsewhere }));
  if (report === undefined) return undefined;
  const { copied, already_there, failed, bytes } = report;
  const there = new Set([...copied, ...already_there]);
  for (const manifest of manifests) {
    if (there.has(manifest.id)) await arrived(local, manifest, options.remote);
  }
  return { sent: copied, already_there, failed, bytes };
}

/** What is damaged in the remote store makes room for what is whole here. */
export async function dropDamaged({ remote }: EntryStores, id: string): Promise<void> {
  await remote(async (store) => {
    if (await isDamaged(store, id)) await store.deleteSnapshot(id);
  });
}

/** Sends what an earlier command could not send. */
export async function sendPending(stores: EntryStores, options: EntryOptions): Promise<Sent> {
  const { remote } = options;
  if (remote === undefined || stores.away() !== undefined) return NOTHING;
  const { entries } = await listEntries(stores.local);
  const waiting = entries.filter((entry) => pendingOf(entry).includes(remote));
  return waiting.length === 0 ? NOTHING : await sendEntries(stores, options, waiting) ?? NOTHING;
}

async function arrived(local: SnapshotStore, manifest: SnapshotManifest, remote: string): Promise<void> {
  const now = await local.readSnapshot(manifest.id);
  if (now === undefined || !pendingOf(now).includes(remote)) return;
  const left = pendingOf(now).filter((it) => it !== remote);
  await relabel(local, now, { [EntryLabel.pending]: left.length === 0 ? undefined : left.join("\n") });
}

/**
 * Brings an entry of the remote store into this machine's.
 * @returns the manifest here; undefined where there is none, or nothing is heard of the remote store
 * @throws {IntegrityError} 54: it is damaged there, or not what its name says; nothing of it came here
 */
export async function fetchEntry(
  { local, remote }: EntryStores,
  id: string,
  signal: AbortSignal | undefined,
): Promise<SnapshotManifest | undefined> {
  return await remote(async (store) => {
    const manifest = await store.readSnapshot(id);
    if (manifest === undefined) return undefined;
    await assertContents(store, id, await provenTree(store, manifest), signal);
    const { failed } = await syncStores(store, local, { only: [id], signal, labels: labelsElsewhere });
    if (failed.length > 0) throw damagedThere(store, failed[0]!.reason);
    const here = await local.readSnapshot(id);
    if (here === undefined) throw new StorageError(`The entry ${id} went from ${store.location} just now`);
    return here;
  });
}

/** What is true of an entry in one store only does not go with it. */
function labelsElsewhere({ labels }: SnapshotManifest): SnapshotManifest["labels"] {
  const { [EntryLabel.pending]: _pending, [EntryLabel.doomed]: _doomed, ...rest } = labels;
  return rest;
}

/** What a chunk's own name does not prove is read and hashed, before anything of the entry is kept here. */
async function assertContents(
  store: SnapshotStore,
  id: string,
  { items }: EntryTree,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const item of items) {
    if (item.type !== "file" || isProvenByName(item.content)) continue;
    const hash = createHash("sha256");
    for await (const part of store.readStream(item.content)) {
      throwIfStopped(signal);
      hash.update(part);
    }
    if (hash.digest("hex") === item.content.sha256) continue;
    throw damagedThere(store, `${id}: ${JSON.stringify(item.path).slice(0, 200)} has other bytes`);
  }
}

function damagedThere(store: SnapshotStore, reason: string): IntegrityError {
  return new IntegrityError(`An entry of ${store.location} is damaged, so it is not used: ${reason}`, {
    hint:
      "Somebody who has it whole can add it again; `backout snapshot verify --store LOCATION` tells what is damaged.",
    context: { store: store.location },
  });
}
