/** The snapshot store of a workspace. */
import type { SnapshotStore } from "#/store/store.ts";
import type { WorkspaceOptions } from "./options.ts";

export interface OpenWorkspaceStoreOptions {
  /** Who works, for others who meet the store's lock. */
  readonly by: string;
  readonly onWarning: (message: string) => void;
  /** Called once when somebody who has the store for itself has to be waited for. */
  readonly onWait: (holders: readonly string[]) => void;
}

/**
 * Opens the configured store, or its fallback where it cannot be reached. Without the operation's signal: what was begun
 * is taken back from the store after it.
 */
export async function openWorkspaceStore(
  options: WorkspaceOptions,
  { by, onWarning, onWait }: OpenWorkspaceStoreOptions,
): Promise<SnapshotStore> {
  if (options.openStore !== undefined) return await options.openStore();
  const { openReachableStore } = await import("#/store/fallback.ts");
  const { store, warning } = await openReachableStore({ ...options.store, env: options.env, by, onWait });
  if (warning !== undefined) onWarning(warning);
  return store;
}

/** What was kept there while the store was away; undefined where there is none. */
export async function openFallbackStore(
  options: WorkspaceOptions,
  by: string,
): Promise<SnapshotStore | undefined> {
  const { fallback } = options.store;
  if (fallback === undefined || options.openStore !== undefined) return undefined;
  const { openSnapshotStore } = await import("#/store/open.ts");
  return await openSnapshotStore({ ...options.store, location: fallback, env: options.env, by });
}
