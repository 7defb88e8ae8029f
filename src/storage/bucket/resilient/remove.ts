/** Removing many objects, of which some may have to be tried again. */
import type { RemoveFailure, RemoveRequest } from "#/storage/bucket/bucket.ts";
import { BucketError } from "#/storage/bucket/bucket_error.ts";
import { type Attempts, withAttempts } from "./retry.ts";

/**
 * Tries again what failed for the moment: after a broken request all of it (removing is idempotent), else only the
 * objects that failed.
 * @param send one request, within its deadline
 * @returns what could not be removed
 */
export async function removeAll(
  requests: readonly RemoveRequest[],
  attempts: Attempts,
  send: (requests: readonly RemoveRequest[]) => Promise<readonly RemoveFailure[]>,
): Promise<readonly RemoveFailure[]> {
  const failed: RemoveFailure[] = [];
  for (let left = requests;;) {
    attempts.begin();
    const failures = await send(left).catch((error) => attempts.pauseAfter(error));
    if (failures === undefined) continue;
    failed.push(...failures.filter((it) => !isTransient(it.error)));
    const transient = failures.filter((it) => isTransient(it.error));
    if (transient.length === 0) return failed;
    if (!await attempts.pause(transient[0]!.error as BucketError)) {
      for (const { error } of transient) withAttempts(error, attempts.count);
      return [...failed, ...transient];
    }
    const keys = new Set(transient.map((it) => it.key));
    left = left.filter((it) => keys.has(it.key));
  }
}

function isTransient(error: Error): boolean {
  return error instanceof BucketError && error.isTransient;
}
