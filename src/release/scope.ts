/** The scope of an operation on a repository: its storage, its lock, who acts, and when. */
import * as os from "node:os";
import { loadSigner, type Signer } from "#/audit/sign.ts";
import { messageOf, RollbackError, StorageError, UsageError } from "#/core/errors.ts";
import type { StopSignal } from "#/core/errors.ts";
import type { OperationEvent } from "#/report/model.ts";
import type { ChangeOptions, RepositoryOptions } from "#/repository/options.ts";
import type { HeldLock, LockRequest, ScopeLock } from "#/storage/lock.ts";
import type { BatchOptions, ObjectStore } from "#/storage/object_store.ts";
import { openStorage } from "#/storage/registry.ts";

export interface Scope {
  readonly store: ObjectStore;
  readonly lock: ScopeLock;
  readonly now: () => Date;
  readonly by: string;
  readonly host: string;
  /** Null where there are no users. */
  readonly uid: number | null;
  readonly lockTimeoutMs: number;
  readonly allowUnsafeStorage: boolean;
  readonly signal: AbortSignal | undefined;
  readonly signingKeyFile: string | undefined;
  readonly signer: Signer | undefined;
  readonly machineId: string;
  readonly emit: (event: OperationEvent) => void;
}

/** @throws {UsageError} when the location is none, or names a storage that is not there */
export async function openScope(options: RepositoryOptions): Promise<Scope> {
  if (options.repository.trim() === "") {
    throw new UsageError("No repository was given", {
      hint: "Give it with --repository, or set BACKOUT_REPOSITORY.",
    });
  }
  const { stateDir, jobs, leaseMs, signal } = options;
  const { store, lock } = await openStorage(options.repository, { stateDir, jobs, leaseMs, signal });
  return {
    store,
    lock,
    allowUnsafeStorage: options.allowUnsafeStorage ?? false,
    now: options.now ?? (() => new Date()),
    by: options.by ?? userName(),
    host: hostName(),
    uid: Deno.uid(),
    lockTimeoutMs: options.lockTimeoutMs ?? 0,
    signal: options.signal,
    signingKeyFile: options.signingKeyFile,
    // Read before anything is touched, so that a key that cannot be used stops the operation, not its record.
    signer: options.signingKeyFile === undefined ? undefined : loadSigner(options.signingKeyFile),
    machineId: machineId(),
    emit: options.onEvent ?? (() => {}),
  };
}

function userName(): string {
  try {
    return os.userInfo().username;
  } catch {
    return Deno.uid() === null ? "unknown" : `uid ${Deno.uid()}`; // a container's user often has no name
  }
}

export function hostName(): string {
  try {
    return Deno.hostname();
  } catch {
    return "unknown";
  }
}

/** Why a signal was aborted, when it was by one of ours. */
export function stopReason(signal: AbortSignal | undefined): StopSignal | undefined {
  if (signal === undefined || !signal.aborted) return undefined;
  const reason: unknown = signal.reason;
  const known: readonly StopSignal[] = ["SIGHUP", "SIGINT", "SIGTERM", "timeout"];
  return known.find((name) => name === reason) ?? "SIGTERM";
}

/** Batch options that report progress under a phase's name and stop at the scope's signal. */
export function batch(scope: Scope, phase: string, unit: "bytes" | "files" = "bytes"): BatchOptions {
  const onProgress = (done: number, total: number) =>
    scope.emit({ event: "progress", time: scope.now().toISOString(), phase, done, total, unit });
  return scope.signal === undefined ? { onProgress } : { onProgress, signal: scope.signal };
}

/** Lenient or forced: what is damaged or missing is skipped with a warning. */
export function isTolerant(options: ChangeOptions): boolean {
  return options.policyMode === "lenient" || options.force === true;
}

/** True for an error that says that no space is left. */
function isFull(error: unknown): boolean {
  return error instanceof RollbackError &&
    (error.context.errno === "ENOSPC" || error.context.errno === "EDQUOT");
}

/**
 * Does the work. On a full disk the space that was set aside is given up, and the work is done again, once.
 * @param cleanUp removes what the first try left, where the work cannot simply be repeated
 */
export async function withReserve<T>(
  { store }: Pick<Scope, "store">,
  work: () => Promise<T>,
  cleanUp: () => Promise<void> = () => Promise.resolve(),
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isFull(error) || !await store.releaseReserve()) throw error;
    await cleanUp();
    return await work();
  }
}

/** The lock, and what the person has to know of it. */
export interface AcquiredLock extends HeldLock {
  readonly warnings: readonly string[];
}

/**
 * Takes the lock of the scope, and makes sure that the storage keeps others out.
 * @throws {LockedError}
 * @throws {StorageError} the storage ignores the conditions of writes, and the user did not allow that
 */
export async function acquireLock(
  scope: Scope,
  id: string,
  operation: string,
  reason: string,
): Promise<AcquiredLock> {
  const held = releasedQuietly(scope, await takeLock(scope, id, operation, reason));
  try {
    return { ...held, warnings: await unsafeStorageWarnings(scope, id) };
  } catch (error) {
    await held[Symbol.asyncDispose]();
    throw error;
  }
}

async function unsafeStorageWarnings(
  { store, allowUnsafeStorage }: Scope,
  id: string,
): Promise<readonly string[]> {
  if (await store.probeConditions(id) !== false) return [];
  if (allowUnsafeStorage) {
    return [
      `${store.location} ignores the conditions of writes: another writer would not have been kept out`,
    ];
  }
  throw new StorageError(`Refused to write to ${store.location}: it ignores the conditions of writes`, {
    hint:
      "Two writers would overwrite each other there. Use a server that has conditional writes, or, when nobody " +
      "else writes, --allow-unsafe-storage.",
    context: { failure: "unsafe_storage", location: store.location },
  });
}

/** A lock that cannot be released changes nothing of what the operation did: it is told, and the next command takes it over. */
function releasedQuietly(scope: Scope, held: HeldLock): HeldLock {
  return {
    ...held,
    [Symbol.asyncDispose]: async () => {
      try {
        await held[Symbol.asyncDispose]();
      } catch (error) {
        const message = `The lock could not be released (${
          messageOf(error)
        }); the next command takes it over`;
        scope.emit({ event: "warning", time: scope.now().toISOString(), message });
      }
    },
  };
}

async function takeLock(
  scope: Scope,
  id: string,
  operation: string,
  reason: string,
): Promise<HeldLock> {
  const request: LockRequest = {
    id,
    operation,
    by: scope.by,
    reason,
    now: scope.now,
    timeoutMs: scope.lockTimeoutMs,
    ...(scope.signal === undefined ? {} : { signal: scope.signal }),
    onWait: (holder) =>
      scope.emit({
        event: "waiting_for_lock",
        time: scope.now().toISOString(),
        holder: `${holder.by}@${holder.host}`,
      }),
  };
  return await withReserve(scope, () => scope.lock.acquire(request));
}

/** Seconds since a `performance.now()`, to the millisecond. */
export function seconds(since: number): number {
  return Math.round(performance.now() - since) / 1000;
}

/** The machine's stable id, where it has one; else its name. */
function machineId(): string {
  try {
    return Deno.readTextFileSync("/etc/machine-id").trim() || hostName();
  } catch {
    return hostName();
  }
}
