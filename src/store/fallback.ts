/** A store on this machine for the time when the configured one cannot be reached. */
import { messageOf } from "#/core/errors.ts";
import { BucketError, type BucketFailure } from "#/storage/bucket/bucket_error.ts";
import { parseLocation } from "#/storage/location.ts";
import { CONFIG_FILE } from "./layout.ts";
import { openSnapshotStore, type OpenSnapshotStoreOptions } from "./open.ts";
import { openBackend } from "./open_backend.ts";
import type { SnapshotStore } from "./store.ts";

export interface ReachedStore {
  readonly store: SnapshotStore;
  /** That of the configured store, or of its fallback. */
  readonly location: string;
  /** Why it is the fallback, for people; undefined when it is not. */
  readonly warning: string | undefined;
}

/** How long to wait for a store of which nothing is heard, in milliseconds, twice. */
const PROBE_MS = 8000;
const AWAY: ReadonlySet<BucketFailure> = new Set(["network", "timeout", "server", "throttled"]);

/**
 * Opens the configured store, or its `fallback` where that is given and the store cannot be reached. A store that refuses
 * (credentials, no such bucket) is not away: that is thrown.
 * @throws as `openSnapshotStore` does
 */
export async function openReachableStore(options: OpenSnapshotStoreOptions): Promise<ReachedStore> {
  const { location, fallback, signal } = options;
  const away = fallback === undefined ? undefined : await whyAway(location, signal);
  if (fallback === undefined || away === undefined) {
    return { store: await openSnapshotStore(options), location, warning: undefined };
  }
  const warning =
    `The snapshot store ${location} cannot be reached, so ${fallback} is used instead: ${away}. ` +
    "Run `backout snapshot sync` when it is back.";
  return { store: await openSnapshotStore({ ...options, location: fallback }), location: fallback, warning };
}

/** The snapshots that wait in the fallback for the configured store to come back; empty where there is no fallback. */
export async function snapshotsInFallback(options: OpenSnapshotStoreOptions): Promise<readonly string[]> {
  if (options.fallback === undefined) return [];
  await using store = await openSnapshotStore({ ...options, location: options.fallback });
  const { snapshots } = await store.listSnapshots({ kind: "all" });
  return snapshots.map(({ id }) => id);
}

/** Why nothing is heard of a store: a sentence; undefined when it can be reached. @throws a store that refuses */
export async function whyAway(
  location: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  if (parseLocation(location).type === "local") return undefined;
  await using backend = await openBackend(location, {
    signal,
    requestMs: PROBE_MS,
    hurry: AbortSignal.abort(), // two attempts
  });
  try {
    await backend.size(CONFIG_FILE);
    return undefined;
  } catch (error) {
    if (isAway(error)) return messageOf(error);
    throw error;
  }
}

/** Whether nothing was heard of a store, or nothing sensible. */
export function isAway(error: unknown): boolean {
  if (error instanceof BucketError && AWAY.has(error.failure)) return true;
  if (error instanceof Deno.errors.NotCapable) return true; // the network was given up: offline
  return error instanceof Error && error.cause !== undefined && isAway(error.cause);
}
