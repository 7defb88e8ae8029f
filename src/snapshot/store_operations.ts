/** Operations on the whole snapshot store of a workspace: is it whole, and what of it nobody needs. */
import { throwIfStopped } from "#/core/pace.ts";
import type { CheckOptions, StoreCheck } from "#/store/check_store.ts";
import type { CollectOptions, CollectReport } from "#/store/collect.ts";
import { openBackend } from "#/store/open_backend.ts";
import { openStoreOn } from "#/store/snapshot_store.ts";
import type { RepairReport } from "#/store/repair_index.ts";
import type { SyncReport } from "#/store/sync.ts";
import type { StoreParts } from "#/store/store_parts.ts";
import type { WorkspaceOptions } from "./options.ts";
import { findSnapshot } from "./snapshot_id.ts";
import { inWorkspace, openWorkspace, waitingFor } from "./workspace.ts";

export type { CollectReport, RepairReport, StoreCheck, SyncReport };

export interface VerifySnapshotOptions extends WorkspaceOptions {
  /** Only this one and what it refers to: an id, a unique beginning of one, `latest` or `last-good`. @default all */
  readonly snapshot?: string;
  /** Read and hash content too: all of it, or this share in percent. @default false */
  readonly readData?: boolean | number;
}

/** Looks at a store without changing it. @throws {RollbackVersionNotFoundError} there is no such snapshot */
export async function verifySnapshot(options: VerifySnapshotOptions): Promise<StoreCheck> {
  const { snapshot, readData = false, signal } = options;
  const only = snapshot === undefined
    ? undefined
    : await inWorkspace(options, async (workspace) => (await findSnapshot(workspace, snapshot)).id);
  const check: CheckOptions = {
    readData: readData !== false,
    ...(typeof readData === "number" ? { samplePercent: readData } : {}),
    ...(only === undefined ? {} : { only: [only] }),
    signal,
  };
  const { checkStore } = await import("#/store/check_store.ts");
  return await withParts(options, (parts) => checkStore(parts, check)) ?? nothingThere(options);
}

export interface CollectStoreOptions extends WorkspaceOptions {
  /** How long data must have been without a use before it is taken away, in milliseconds. @default one hour */
  readonly minAgeMs?: number;
}

const DEFAULT_MIN_AGE_MS = 3_600_000;

/** Takes away what no snapshot refers to. Undefined when there is no store yet. */
export async function collectStore(options: CollectStoreOptions): Promise<CollectReport | undefined> {
  const { dryRun, signal, by, lockTimeoutMs } = options;
  const collecting: CollectOptions = {
    minAgeMs: options.minAgeMs ?? DEFAULT_MIN_AGE_MS,
    signal,
    onWait: tellOf(options),
    ...(dryRun === undefined ? {} : { dryRun }),
    ...(by === undefined ? {} : { by }),
    ...(lockTimeoutMs === undefined ? {} : { lockTimeoutMs }),
  };
  const { collect } = await import("#/store/collect.ts");
  return await withParts(options, (parts) => collect(parts, collecting));
}

/**
 * Makes lost and damaged indexes anew, from what the packs say of themselves. Undefined when there is no store yet.
 * @throws {LockedError} somebody works on the store
 */
export async function repairStoreIndex(options: WorkspaceOptions): Promise<RepairReport | undefined> {
  const { signal, by, lockTimeoutMs } = options;
  const { repairIndex } = await import("#/store/repair_index.ts");
  return await withParts(options, (parts) =>
    repairIndex(parts, {
      signal,
      onWait: tellOf(options),
      ...(by === undefined ? {} : { by }),
      ...(lockTimeoutMs === undefined ? {} : { lockTimeoutMs }),
    }));
}

function tellOf({ onEvent, now }: WorkspaceOptions): (holders: readonly string[]) => void {
  return (holders) => onEvent?.(waitingFor(holders, now?.() ?? new Date()));
}

export interface SyncStoreOptions extends WorkspaceOptions {
  /** Copies from here instead of from the fallback; nothing is removed there. A folder, `s3://…` or `gs://…`. */
  readonly from?: string;
  /** Copies what the store has to here instead. */
  readonly to?: string;
}

/**
 * Brings snapshots that were kept in the fallback, while the store was away, into the store, and takes them out of the
 * fallback. With `from` or `to` a copy between two stores. Undefined when there is nothing to copy from.
 * @throws {StorageError} one of the stores cannot be reached
 */
export async function syncStore(options: SyncStoreOptions): Promise<SyncReport | undefined> {
  const { store: { fallback: _own, ...place }, env, signal, dryRun = false } = options;
  const { by } = (await openWorkspace(options)).scope;
  const { openSnapshotStore } = await import("#/store/open.ts");
  const { syncStores } = await import("#/store/sync.ts");
  const open = (location: string) => openSnapshotStore({ ...place, location, env, signal, by });
  const source = options.to === undefined ? options.from ?? options.store.fallback : place.location;
  if (source === undefined) return undefined;
  // What is copied from may have no key yet: that is how an unencrypted store becomes an encrypted one.
  const isPlain = options.from !== undefined && await isUnencrypted(source, signal);
  const { encryption: _key, ...plain } = place;
  await using from = isPlain
    ? await openSnapshotStore({ ...plain, location: source, env, signal, by })
    : await open(source);
  await using to = await open(options.to ?? place.location);
  const removeCopied = options.from === undefined && options.to === undefined;
  return await syncStores(from, to, { dryRun, removeCopied, signal });
}

async function isUnencrypted(location: string, signal: AbortSignal | undefined): Promise<boolean> {
  const { readStoreConfig } = await import("#/store/store_config.ts");
  await using backend = await openBackend(location, { signal });
  return (await readStoreConfig(backend))?.encryption.kind === "none";
}

/** Undefined where there is no store yet. */
async function withParts<T>(
  options: WorkspaceOptions,
  work: (parts: StoreParts) => Promise<T>,
): Promise<T | undefined> {
  const { store: { location, encryption, level }, env, signal } = options;
  throwIfStopped(signal);
  const backend = await openBackend(location, { signal });
  try {
    const store = await openStoreOn(backend, { encryption, level, env, signal });
    const opened = await store.parts();
    if (opened === undefined) return undefined;
    return await work({ backend, cipher: opened.cipher, level: level ?? 1, reader: store });
  } finally {
    await backend[Symbol.asyncDispose]();
  }
}

function nothingThere({ store }: WorkspaceOptions): StoreCheck {
  return {
    ok: true,
    location: store.location,
    snapshots: 0,
    packs: 0,
    bytes: 0,
    chunks: 0,
    read: { chunks: 0, bytes: 0, percent: 0 },
    damaged_manifests: [],
    damaged_indexes: [],
    damaged_packs: [],
    damaged_chunks: [],
    damaged_chunk_count: 0,
    hit: [],
    unfinished_packs: 0,
  };
}
