/**
 * Makes lost or damaged indexes anew, from what the packs say of themselves. Packs that are missing or cut off leave the
 * index: what they had is stored again by the next snapshot that needs it.
 */
import { IntegrityError, messageOf } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import { writeIndex } from "./index_file.ts";
import { type DamagedFile, packSizes, packsOf, readIndexFiles } from "./index_files.ts";
import type { PackIndex } from "./index_format.ts";
import { packName } from "./layout.ts";
import { readPackFooter } from "./pack_format.ts";
import { lockStore } from "./store_lock.ts";
import type { StoreParts } from "./store_parts.ts";

export interface RepairOptions {
  readonly by?: string;
  readonly signal?: AbortSignal | undefined;
  /** How long to wait for others, in milliseconds. @default 0 */
  readonly lockTimeoutMs?: number;
  /** See `StoreLockRequest`. */
  readonly onWait?: (holders: readonly string[]) => void;
}

export interface RepairReport {
  /** Packs that an index names again. */
  readonly added_packs: number;
  /** Packs that are missing or cut off, and are named no more. */
  readonly dropped_packs: readonly string[];
  /** Packs that no index names, and that do not say what is in them. */
  readonly unreadable_packs: readonly DamagedFile[];
  /** Damaged indexes that were removed. */
  readonly removed_indexes: readonly string[];
}

/** @throws {LockedError} somebody works on the store */
export async function repairIndex(
  { backend, cipher, level }: Omit<StoreParts, "reader">,
  options: RepairOptions = {},
): Promise<RepairReport> {
  const { by, signal, lockTimeoutMs = 0, onWait } = options;
  await using lock = await lockStore(backend, "exclusive", {
    operation: "repair the index",
    timeoutMs: lockTimeoutMs,
    signal,
    ...(by === undefined ? {} : { by }),
    ...(onWait === undefined ? {} : { onWait }),
  });
  const { files, damaged } = await readIndexFiles(backend, cipher);
  const sizes = await packSizes(backend);
  const isThere = ({ id, size }: PackIndex) => sizes.get(id) === size;
  const known = [...packsOf(files).values()];
  const named = new Set(known.filter(isThere).map(({ id }) => id));
  const added: PackIndex[] = [];
  const unreadable: DamagedFile[] = [];
  for (const id of sizes.keys()) {
    throwIfStopped(signal);
    if (named.has(id)) continue;
    try {
      added.push(await readPackFooter(backend, id, cipher));
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      unreadable.push({ name: packName(id), reason: messageOf(error) });
    }
  }
  const gone = files.filter((file) => !file.packs.every(isThere));
  const packs = [...packsOf(gone).values()].filter(isThere).concat(added);
  const removed = [...damaged.map(({ name }) => name), ...gone.map(({ name }) => name)];
  await lock.assertHeld();
  if (packs.length > 0) await writeIndex(backend, packs, cipher, level);
  await lock.assertHeld();
  await backend.remove(removed);
  return {
    added_packs: added.length,
    dropped_packs: known.filter((pack) => !isThere(pack)).map(({ id }) => packName(id)),
    unreadable_packs: unreadable,
    removed_indexes: damaged.map(({ name }) => name),
  };
}
