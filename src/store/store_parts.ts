/** What operations on a whole store (collection, check, repair, copies) need of it. */
import { UsageError } from "#/core/errors.ts";
import type { StoreBackend } from "./backend.ts";
import type { ChunkCipher } from "./cipher.ts";
import { PackSnapshotStore } from "./snapshot_store.ts";
import type { SnapshotStore, StoreReader } from "./store.ts";

export interface StoreParts {
  readonly backend: StoreBackend;
  readonly cipher: ChunkCipher;
  /** Of zstd, for what is written anew. */
  readonly level: number;
  /** Reads manifests and trees; one that is open for longer sees what was written meanwhile. */
  readonly reader: Pick<StoreReader, "listSnapshots" | "readBytes">;
}

const DEFAULT_LEVEL = 1;

/** Undefined where there is no store yet. @throws {UsageError} it is a store of another kind */
export async function partsOf(store: SnapshotStore, level = DEFAULT_LEVEL): Promise<StoreParts | undefined> {
  if (!(store instanceof PackSnapshotStore)) {
    throw new UsageError(`Cannot work on the whole of the snapshot store ${store.location}: it has no packs`);
  }
  const opened = await store.parts();
  if (opened === undefined) return undefined;
  return { backend: store.backend, cipher: opened.cipher, level, reader: store };
}
