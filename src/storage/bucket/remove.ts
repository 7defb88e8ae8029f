/** Removing: a thousand objects a request, and never one whose key is no plain path. */
import { StorageError } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import { type BucketAccess, checkedKey, isPrecondition, prefixOf } from "./access.ts";
import type { RemoveFailure, RemoveRequest } from "./bucket.ts";
import { keyProblem } from "#/storage/key.ts";
import { type BatchOptions, ConflictError } from "#/storage/object_store.ts";

/** `ObjectStore.removeFiles`. */
export async function removeFiles(
  access: BucketAccess,
  keys: readonly string[],
  options: BatchOptions,
): Promise<void> {
  const requests = keys.map((key) => ({ key: checkedKey(key) }));
  refuseFailures(await removeObjects(access, requests, options), keys.length);
}

/** Sends the deletes and returns what was refused. Progress is in objects. */
export async function removeObjects(
  access: BucketAccess,
  requests: readonly RemoveRequest[],
  options: BatchOptions,
): Promise<readonly RemoveFailure[]> {
  throwIfStopped(options.signal);
  const size = access.bucket.removeBatch;
  const failures: RemoveFailure[] = [];
  // One batch after the other: a driver whose service deletes one by one keeps its requests in flight within a batch.
  for (let at = 0; at < requests.length; at += size) {
    throwIfStopped(options.signal);
    const batch = requests.slice(at, at + size);
    failures.push(...await access.bucket.remove(batch)); // never stopped within: what is gone would not be known
    options.onProgress?.(at + batch.length, requests.length);
  }
  return failures;
}

/** `ObjectStore.removeTree`: page by page. What is no plain path is left alone, but for the markers of folders. */
export async function removeTree(access: BucketAccess, folder: string): Promise<void> {
  const prefix = prefixOf(folder === "" ? "/" : folder); // the root itself is refused
  let batch: RemoveRequest[] = [];
  let total = 0;
  const failures: RemoveFailure[] = [];
  const send = async () => {
    total += batch.length;
    failures.push(...await access.bucket.remove(batch));
    batch = [];
  };
  for await (const page of access.bucket.list({ prefix })) {
    for (const { key, tag } of page.objects) {
      if (!key.startsWith(prefix) || keyProblem(key.replace(/\/$/, "")) !== undefined) continue;
      batch.push({ key, tag });
      if (batch.length === access.bucket.removeBatch) await send();
    }
    if (failures.length > 0) break;
  }
  if (batch.length > 0) await send();
  refuseFailures(failures, total);
}

/** @throws {StorageError} naming how many were refused, and one of them */
export function refuseFailures(failures: readonly RemoveFailure[], total: number): void {
  const first = failures[0];
  if (first === undefined) return;
  const message =
    `Cannot remove ${failures.length} of ${total} objects, e.g. ${first.key}: ${first.error.message}`;
  const keys = failures.slice(0, 20).map((failure) => failure.key);
  const { error } = first;
  const hint = error instanceof StorageError ? error.hint : undefined;
  const facts = { context: { keys, failed: failures.length, total }, cause: error };
  const options = hint === undefined ? facts : { ...facts, hint };
  throw isPrecondition(error) ? new ConflictError(message, options) : new StorageError(message, options);
}
