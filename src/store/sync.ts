/**
 * Copies snapshots from one store to another: from a fallback to the store that was away, to a second place, into an
 * encrypted one. Each chunk is checked against its id when it is read, and each snapshot appears when all of it is
 * durable; what an interrupted run has copied is not copied again.
 */
import { IntegrityError, messageOf } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import { CopyChunks } from "./copy_chunks.ts";
import { isEntryId } from "./layout.ts";
import type { SnapshotManifest } from "./model.ts";
import type { SnapshotStore } from "./store.ts";
import { lockForReading } from "./store_lock.ts";
import { partsOf } from "./store_parts.ts";
import { Translation } from "./translate.ts";

export interface SyncOptions {
  /** Ids of snapshots. @default all */
  readonly only?: readonly string[];
  /** Says what would be copied. */
  readonly dryRun?: boolean;
  /** Delete the snapshots in the first store that are in the second one: for a fallback. */
  readonly removeCopied?: boolean;
  /** What is said of a snapshot there, where that is not the same: its labels. Never what it holds. */
  readonly labels?: (manifest: SnapshotManifest) => SnapshotManifest["labels"];
  readonly signal?: AbortSignal | undefined;
  /** After each snapshot that was copied. */
  readonly onSnapshot?: (id: string, done: number, total: number) => void;
}

export interface SyncReport {
  readonly from: string;
  readonly to: string;
  readonly dry_run: boolean;
  /** Ids, oldest first. */
  readonly copied: readonly string[];
  readonly already_there: readonly string[];
  /** Another snapshot has the same id there: it was left as it is. */
  readonly conflicts: readonly string[];
  /** Damaged in the first store: not copied. */
  readonly failed: readonly { readonly id: string; readonly reason: string }[];
  /** Taken out of the first store. */
  readonly removed: readonly string[];
  /** Bytes that were added to the second store, as stored. */
  readonly bytes: number;
}

/** @throws {StorageError} one of the stores cannot be reached */
export async function syncStores(
  from: SnapshotStore,
  to: SnapshotStore,
  options: SyncOptions = {},
): Promise<SyncReport> {
  const { dryRun = false, removeCopied = false, signal } = options;
  const { wanted, alreadyThere, conflicts, damaged } = await choose(from, to, options.only);
  const report = { from: from.location, to: to.location, dry_run: dryRun, conflicts };
  if (dryRun || wanted.length === 0 && !removeCopied) {
    const copied = wanted.map(({ id }) => id);
    return { ...report, copied, already_there: alreadyThere, failed: damaged, removed: [], bytes: 0 };
  }
  const outcome = await copyAll(from, to, wanted, options);
  const removed = removeCopied ? [...alreadyThere, ...outcome.copied] : [];
  for (const id of removed) {
    throwIfStopped(signal);
    await from.deleteSnapshot(id);
  }
  const failed = [...damaged, ...outcome.failed];
  return { ...report, ...outcome, already_there: alreadyThere, failed, removed };
}

interface Copied {
  readonly copied: readonly string[];
  readonly failed: readonly { readonly id: string; readonly reason: string }[];
  readonly bytes: number;
}

async function copyAll(
  from: SnapshotStore,
  to: SnapshotStore,
  wanted: readonly SnapshotManifest[],
  { signal, labels = (manifest) => manifest.labels, onSnapshot }: SyncOptions,
): Promise<Copied> {
  const source = await partsOf(from);
  if (source === undefined || wanted.length === 0) return { copied: [], failed: [], bytes: 0 };
  // So that no collection takes away what is being read.
  await using _lock = await lockForReading(source.backend, { operation: "copy snapshots", signal });
  const copied: string[] = [];
  const failed: { readonly id: string; readonly reason: string }[] = [];
  let bytes = 0;
  let chunks: CopyChunks | undefined;
  let translation: Translation | undefined;
  for (const manifest of wanted) {
    throwIfStopped(signal);
    await using writer = await to.write(signal === undefined ? {} : { signal });
    const target = (await partsOf(to))!; // made by `write` at the latest
    chunks ??= await CopyChunks.open(source, target, signal);
    const { idOf } = chunks;
    translation = translation?.with(writer) ?? new Translation({ from, to: writer, idOf });
    try {
      bytes += await chunks.copy(manifest);
      const there = { ...manifest, labels: labels(manifest) };
      await writer.commit(chunks.sameIds ? there : await translation.manifest(there));
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      failed.push({ id: manifest.id, reason: messageOf(error) });
      chunks = undefined; // it still looks for what is missing
      translation = undefined;
      continue;
    }
    bytes += writer.storedBytes;
    copied.push(manifest.id);
    onSnapshot?.(manifest.id, copied.length + failed.length, wanted.length);
  }
  return { copied, failed, bytes };
}

interface Choice {
  /** Oldest first, so that an interrupted run leaves no gap. */
  readonly wanted: readonly SnapshotManifest[];
  readonly alreadyThere: readonly string[];
  readonly conflicts: readonly string[];
  readonly damaged: Copied["failed"];
}

async function choose(
  from: SnapshotStore,
  to: SnapshotStore,
  only: readonly string[] | undefined,
): Promise<Choice> {
  const { snapshots, failed } = only === undefined ? await listAll(from) : await readThese(from, only);
  const wanted: SnapshotManifest[] = [];
  const alreadyThere: string[] = [];
  const conflicts: string[] = [];
  for (const manifest of snapshots) {
    const theirs = await to.readSnapshot(manifest.id);
    if (theirs === undefined) wanted.push(manifest);
    else if (isSame(manifest, theirs)) alreadyThere.push(manifest.id);
    else conflicts.push(manifest.id);
  }
  return { wanted, alreadyThere, conflicts, damaged: failed };
}

interface ReadManifests {
  /** Oldest first. */
  readonly snapshots: readonly SnapshotManifest[];
  readonly failed: Copied["failed"];
}

async function listAll(store: SnapshotStore): Promise<ReadManifests> {
  const { snapshots, damaged } = await store.listSnapshots({ kind: "all" });
  return { snapshots, failed: damaged.map((id) => ({ id, reason: "its manifest cannot be read" })) };
}

/** Without a look at all the others. What is not there is left out. */
async function readThese(store: SnapshotStore, ids: readonly string[]): Promise<ReadManifests> {
  const snapshots: SnapshotManifest[] = [];
  const failed: { readonly id: string; readonly reason: string }[] = [];
  for (const id of ids) {
    try {
      const manifest = await store.readSnapshot(id);
      if (manifest !== undefined) snapshots.push(manifest);
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      failed.push({ id, reason: messageOf(error) });
    }
  }
  snapshots.sort((a, b) => (a.created_at < b.created_at ? -1 : a.created_at > b.created_at ? 1 : 0));
  return { snapshots, failed };
}

/** What people say of a snapshot may differ, and ids of chunks do when keys do. Entries are named by what they hold. */
function isSame(a: SnapshotManifest, b: SnapshotManifest): boolean {
  if (isEntryId(a.id)) return a.id === b.id;
  return a.operation_id === b.operation_id && a.created_at === b.created_at &&
    a.machine_id === b.machine_id &&
    a.workspace === b.workspace;
}
