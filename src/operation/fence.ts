/** The fence: after it no write of the index that was sent before can succeed. */
import { encodeIndex, INDEX_KEY, loadIndex } from "#/repository/index_file.ts";
import { ConflictError, type ObjectStore } from "#/storage/object_store.ts";

const FENCE_INDEX = "index.fence.json";
const MAX_TRIES = 5;

/**
 * Writes the same index with a higher serial, so that a write that is still under way finds other bytes than it was meant
 * to replace. Where there is none yet, and a write may still arrive, an index without releases has to keep it out.
 * @param id the operation under whose name it is staged
 */
export async function fence(store: ObjectStore, id: string): Promise<void> {
  for (let tries = 1;; tries++) {
    const { index, tag } = await loadIndex(store);
    if (tag === null && !store.capabilities.remote) return;
    const fenced = encodeIndex({ ...index, serial: (index.serial ?? 0) + 1 });
    await store.stage(id, FENCE_INDEX, INDEX_KEY, fenced);
    try {
      return await store.commitStaged(id, FENCE_INDEX, INDEX_KEY, tag);
    } catch (error) {
      // Changed just now, by hand or by that very write: what it says now is fenced.
      if (!(error instanceof ConflictError) || tries >= MAX_TRIES) throw error;
    }
  }
}
