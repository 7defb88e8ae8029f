/**
 * The lock of a snapshot store: many writers at a time ("shared"), or one collection alone ("exclusive").
 *
 * Who adds to a store holds it shared from before it reads the index until its manifest is durable; who takes bytes away
 * holds it exclusive while it looks for what nobody refers to and removes it. `docs/store_collection.md` says why that
 * is enough. Readers hold nothing: what they may be reading is kept for the collection's minimum age.
 *
 * In a folder it is a `flock` (which ends with its process) and a note of who holds it; in a bucket one object for each
 * holder, with a lease.
 */
import { SystemError } from "#/core/system_error.ts";
import type { StoreBackend } from "./backend.ts";
import type { LockHolder } from "#/storage/lock.ts";
import { lockFolderStore } from "./store_lock_folder.ts";

export type StoreLockMode = "shared" | "exclusive";

export interface StoreLockRequest {
  /** What is done under it, for others to read: `create a snapshot`. */
  readonly operation: string;
  readonly by?: string;
  readonly reason?: string;
  /** How long to wait for others, in milliseconds. @default 600000 for "shared", 0 for "exclusive" */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Called once when others have to be waited for, with a sentence about each. */
  readonly onWait?: (holders: readonly string[]) => void;
}

export interface HeldStoreLock extends AsyncDisposable {
  readonly mode: StoreLockMode;
  /**
   * Call it right before the write that must happen under the lock.
   * @throws {StorageError} it was lost: this process slept for longer than its lease (buckets only)
   */
  assertHeld(): Promise<void>;
}

/** A request with everything filled in. */
export interface FullLockRequest extends StoreLockRequest {
  readonly by: string;
  readonly reason: string;
  readonly timeoutMs: number;
}

/** What a holder leaves for others to read. */
export interface StoreLockRecord extends LockHolder {
  readonly mode: StoreLockMode;
}

const SHARED_WAIT_MS = 10 * 60_000;

/**
 * Takes the store's lock; a store that is not there yet is made.
 * @throws {LockedError} others hold it after the wait; its message names them
 */
export async function lockStore(
  backend: StoreBackend,
  mode: StoreLockMode,
  request: StoreLockRequest,
): Promise<HeldStoreLock> {
  const full = {
    ...request,
    by: request.by ?? Deno.env.get("USER") ?? Deno.env.get("LOGNAME") ?? "unknown",
    reason: request.reason ?? "",
    timeoutMs: request.timeoutMs ?? (mode === "shared" ? SHARED_WAIT_MS : 0),
  };
  const place = backend.lockPlace;
  if (place === undefined) return await lockFolderStore(backend, mode, full);
  const { lockBucketStore } = await import("./store_lock_bucket.ts");
  return await lockBucketStore(place, mode, full);
}

/** The shared lock for who reads for long; undefined in a store that may only be read: nobody collects that from here. */
export async function lockForReading(
  backend: StoreBackend,
  request: StoreLockRequest,
): Promise<HeldStoreLock | undefined> {
  try {
    return await lockStore(backend, "shared", request);
  } catch (error) {
    const isReadOnly = error instanceof SystemError &&
      (error.kind === "read_only" || error.kind === "permission");
    if (isReadOnly) return undefined;
    throw error;
  }
}
