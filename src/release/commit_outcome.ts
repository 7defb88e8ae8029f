/** What became of a commit whose call failed. */
import { messageOf, UnfinishedOperationError } from "#/core/errors.ts";
import { fence } from "#/operation/fence.ts";
import type { Journal } from "#/operation/journal.ts";
import { isCommitted, refuseIfRecovered } from "#/operation/phases.ts";
import { ConflictError, type ObjectStore } from "#/storage/object_store.ts";

/**
 * Whether it happened is read from the index, never guessed from how the call ended. A commit that the service may still
 * carry out is kept out first.
 * @throws {UnfinishedOperationError} nobody can tell now
 */
export async function isCommittedAfterAll(
  store: ObjectStore,
  journal: Journal,
  cause: unknown,
): Promise<boolean> {
  try {
    await refuseIfRecovered(store, journal);
    if (await isCommitted(store, journal)) return true;
    if (!store.capabilities.remote || cause instanceof ConflictError) return false;
    await fence(store, journal.id);
    return await isCommitted(store, journal);
  } catch (error) {
    if (error instanceof UnfinishedOperationError) throw error;
    throw new UnfinishedOperationError(
      `Nobody can tell yet whether the ${journal.title} happened: ${messageOf(cause)}`,
      {
        hint: "When the storage answers again, run `backout recover`: it finishes it, or takes it back.",
        context: { operation: journal.id },
        cause,
      },
    );
  }
}
