/** What holders of a store's lock say of themselves, and what others are told. */
import { LockedError } from "#/core/errors.ts";
import { processStart, readIdentity } from "#/storage/lock_identity.ts";
import { describeHolder } from "#/storage/lock_messages.ts";
import type { FullLockRequest, StoreLockMode, StoreLockRecord } from "./store_lock.ts";

/** True where this machine can tell for certain that the holder's process has ended. */
export function isDeadHere(record: StoreLockRecord): boolean {
  const me = readIdentity();
  if (record.boot_id === "" || record.boot_id !== me.boot_id) return false;
  if (record.pid_namespace === "" || record.pid_namespace !== me.pid_namespace) return false;
  const start = processStart(record.pid);
  return start === undefined || start !== "" && record.process_start !== "" && start !== record.process_start;
}

/** The refusal, with who is in the way. */
export function storeLockedError(
  location: string,
  mode: StoreLockMode,
  request: FullLockRequest,
  holders: readonly StoreLockRecord[],
): LockedError {
  const names = holders.length === 0 ? "an operation that left no note" : describeAll(holders).join("; ");
  const what = mode === "exclusive"
    ? "it needs the snapshot store for itself"
    : "the store is being collected";
  return new LockedError(
    `Cannot ${request.operation} in ${location}: ${what}, and it is in use by ${names}`,
    {
      hint: request.timeoutMs > 0
        ? "It was still at work after the wait: give a longer --lock-timeout, or look at that process."
        : "Wait for it with --lock-timeout, for example --lock-timeout 5m.",
      context: { holders: holders.map((holder) => ({ ...holder })), waited_ms: request.timeoutMs },
    },
  );
}

export function describeAll(holders: readonly StoreLockRecord[]): readonly string[] {
  return holders.map((holder) => describeHolder(holder));
}
