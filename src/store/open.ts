/** Opens a snapshot store, wherever it is. */
import { openBackend } from "./open_backend.ts";
import type { StoreOptions } from "./options.ts";
import { openStoreOn } from "./snapshot_store.ts";
import type { SnapshotStore } from "./store.ts";

export interface OpenSnapshotStoreOptions extends StoreOptions {
  /** Reads the variable of a passphrase. @default the process's environment */
  readonly env?: (name: string) => string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Who takes the store's lock, for others to read. */
  readonly by?: string | undefined;
  /** Called once when a collection has to be waited for, with a sentence about who it is. */
  readonly onWait?: ((holders: readonly string[]) => void) | undefined;
}

/**
 * Opens the store at a location; where there is none, it reads as empty and is made by the first `write`.
 * @throws {UsageError} the location is none; the key is missing or wrong
 * @throws {StorageError} it cannot be reached, or cannot be trusted
 * @throws {IntegrityError} its configuration is damaged
 */
export async function openSnapshotStore(options: OpenSnapshotStoreOptions): Promise<SnapshotStore> {
  const backend = await openBackend(options.location, { signal: options.signal });
  try {
    return await openStoreOn(backend, options);
  } catch (error) {
    await backend[Symbol.asyncDispose]();
    throw error;
  }
}
