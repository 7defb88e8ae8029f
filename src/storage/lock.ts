/** The one writer of a scope: who holds it, since when and why. One file per storage that has a lock. */

/** What the lock shows to everybody who meets it. */
export interface LockHolder {
  /** The operation's id. */
  readonly id: string;
  /** What it does, e.g. `rollback v1.0.2`. */
  readonly operation: string;
  readonly by: string;
  readonly host: string;
  /** Stable id of the machine, empty where there is none. */
  readonly machine_id: string;
  /** Changes with every boot, empty where unknown. */
  readonly boot_id: string;
  /** Identifies the process-id namespace (containers), empty where unknown. */
  readonly pid_namespace: string;
  readonly pid: number;
  /** When the process started, in the kernel's units, so that a reused pid is not mistaken; empty where unknown. */
  readonly process_start: string;
  /** True when the holder also holds an advisory lock on the lock file as long as it lives. */
  readonly advisory: boolean;
  /** RFC 3339. */
  readonly since: string;
  readonly reason: string;
}

export type HolderState = "alive" | "dead" | "unknown";

export interface LockRequest {
  readonly id: string;
  readonly operation: string;
  readonly by: string;
  readonly reason: string;
  readonly now: () => Date;
  /** How long to wait, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Called once when the lock is held by somebody else and we wait. */
  readonly onWait?: (holder: LockHolder) => void;
}

export interface HeldLock extends AsyncDisposable {
  readonly holder: LockHolder;
  /** The holder this lock was taken from, undefined when it was free. */
  readonly takenFrom: LockHolder | undefined;
  /** False where that holder may only be slow (its lease ended): what it sent or still sends has to be kept out. */
  readonly isDeathCertain: boolean;
  /** Waits until nothing that an earlier holder sent can take effect any more. At once where that cannot be. */
  outwait(signal?: AbortSignal): Promise<void>;
}

export interface ScopeLock {
  /** @throws {LockedError} with who, since when and why, when the holder lives or cannot be judged from here */
  acquire(request: LockRequest): Promise<HeldLock>;
  /** Who holds it now, undefined when nobody does. */
  inspect(): Promise<{ readonly holder: LockHolder; readonly state: HolderState } | undefined>;
  /** Removes the lock whoever holds it. Returns the holder it had. @throws {LockedError} when the holder is alive and not `force` */
  breakLock(options: { force: boolean }): Promise<LockHolder | undefined>;
}
