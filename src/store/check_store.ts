/** Whether a store is whole: what its files say of each other, and on request every byte of its content. */
import { IntegrityError } from "#/core/errors.ts";
import { checkData } from "./check_data.ts";
import type { DamagedChunk } from "./check_frames.ts";
import { ChunkSet, idsOf } from "./chunk_set.ts";
import { type DamagedFile, packSizes, packsOf, readIndexFiles } from "./index_files.ts";
import { decodeFrames, type PackIndex } from "./index_format.ts";
import { hexOf, packName, snapshotName } from "./layout.ts";
import { LiveChunks } from "./live_chunks.ts";
import type { SnapshotManifest } from "./model.ts";
import type { StoreParts } from "./store_parts.ts";
import { lockForReading } from "./store_lock.ts";
import { damagesOf, type SnapshotDamage, type UnreadableTarget } from "./snapshot_damage.ts";

export interface CheckOptions {
  /** Read and hash content, not only what describes it. */
  readonly readData: boolean;
  /** Of the content, this share only, chosen at random, in percent. @default 100 */
  readonly samplePercent?: number;
  /** Ids of snapshots; only they and what they refer to. @default all, and everything in the store */
  readonly only?: readonly string[];
  /** In [0, 1). @default Math.random */
  readonly random?: () => number;
  readonly signal?: AbortSignal | undefined;
  /** Bytes of packs that were read, and that will be. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What was found; sizes in bytes as stored. */
export interface StoreCheck {
  /** Nothing is damaged. */
  readonly ok: boolean;
  readonly location: string;
  readonly snapshots: number;
  readonly packs: number;
  readonly bytes: number;
  /** Chunks that snapshots refer to. */
  readonly chunks: number;
  /** Of the packs, what was read. */
  readonly read: { readonly chunks: number; readonly bytes: number; readonly percent: number };
  /** Manifests that cannot be read. */
  readonly damaged_manifests: readonly string[];
  /** Indexes that cannot be read; `repairIndex` makes them anew. */
  readonly damaged_indexes: readonly DamagedFile[];
  /** Packs that are missing, or not as long as they were written; where content was read, also those whose end is damaged. */
  readonly damaged_packs: readonly DamagedFile[];
  /** Chunks that are missing or have other bytes; at most 1000 of them. */
  readonly damaged_chunks: readonly DamagedChunk[];
  readonly damaged_chunk_count: number;
  /** The snapshots that cannot be restored whole, and what of them is hit. */
  readonly hit: readonly SnapshotDamage[];
  /** Packs that no index names: left by writers that died, or of those at work; no damage. */
  readonly unfinished_packs: number;
}

const MAX_CHUNKS_LISTED = 1000;

/** @throws {StorageError} the store cannot be reached. Damage is not thrown, but reported. */
export async function checkStore(parts: StoreParts, options: CheckOptions): Promise<StoreCheck> {
  const { backend, cipher, reader } = parts;
  const { signal, only } = options;
  await using _lock = await lockForReading(backend, { operation: "verify the snapshot store", signal });
  const { snapshots: all, damaged: unreadable } = await reader.listSnapshots({ kind: "all" });
  const snapshots = only === undefined ? all : all.filter(({ id }) => only.includes(id));
  const manifests = only === undefined ? unreadable : unreadable.filter((name) => isAbout(name, only));
  const { files, damaged: indexes } = await readIndexFiles(backend, cipher);
  const packs = [...packsOf(files).values()];
  const sizes = await packSizes(backend);
  const walked = await walkSnapshots(parts, snapshots, signal);
  const whole = packs.filter(({ id, size }) => sizes.get(id) === size);
  const missing = missingFrom(whole, walked.live);
  const lost = new ChunkSet();
  for (const { id } of missing) lost.addHex(id);
  // Of one snapshot only what it lacks is told: what a pack had may have been stored again.
  const isLooked = (pack: PackIndex) => only === undefined || holdsAny(pack, lost);
  const problems = packs.filter(isLooked).flatMap((pack) => problemOf(pack, sizes));
  const read = options.readData
    ? await checkData(parts, whole, { ...options, wanted: only === undefined ? undefined : walked.live })
    : { chunks: 0, bytes: 0, percent: 0, damaged: [], torn: [] };
  const bad = new Map(
    [...missing, ...read.damaged].map((it) => [it.id, it] as const),
  );
  const hit = await damagesOf(parts, snapshots, new Set(bad.keys()), walked.unreadable);
  return {
    ok: manifests.length + indexes.length + problems.length + read.torn.length + bad.size + hit.length === 0,
    ...{ location: backend.location, snapshots: snapshots.length, packs: sizes.size },
    bytes: [...sizes.values()].reduce((sum, size) => sum + size, 0),
    chunks: walked.live.count,
    read: { chunks: read.chunks, bytes: read.bytes, percent: read.percent },
    damaged_manifests: manifests,
    damaged_indexes: indexes,
    damaged_packs: [...problems, ...read.torn],
    damaged_chunks: [...bad.values()].slice(0, MAX_CHUNKS_LISTED),
    damaged_chunk_count: bad.size,
    hit,
    unfinished_packs: [...sizes.keys()].filter((id) => !packs.some((pack) => pack.id === id)).length,
  };
}

interface Walked {
  readonly live: ChunkSet;
  /** Why a tree of a target cannot be read. */
  readonly unreadable: readonly UnreadableTarget[];
}

async function walkSnapshots(
  { reader }: StoreParts,
  snapshots: readonly SnapshotManifest[],
  signal: AbortSignal | undefined,
): Promise<Walked> {
  const live = new LiveChunks(reader, signal);
  const unreadable: UnreadableTarget[] = [];
  for (const { id, targets } of snapshots) {
    for (const { name, roots } of targets) {
      try {
        for (const root of roots) await live.addRoot(root);
      } catch (error) {
        if (!(error instanceof IntegrityError)) throw error;
        unreadable.push({ snapshot: id, target: name, reason: error.message });
      }
    }
  }
  return { live: live.ids, unreadable };
}

/** Whether the name of a manifest that cannot be read is that of one of these snapshots. */
function isAbout(name: string, ids: readonly string[]): boolean {
  return ids.some((id) => name === id || name === snapshotName(id));
}

function holdsAny(pack: PackIndex, wanted: ChunkSet): boolean {
  return decodeFrames(pack.frames, pack.size).some((frame) =>
    [...idsOf(frame.ids)].some((id) => wanted.has(id))
  );
}

function problemOf({ id, size }: PackIndex, sizes: ReadonlyMap<string, number>): readonly DamagedFile[] {
  const actual = sizes.get(id);
  if (actual === size) return [];
  const reason = actual === undefined ? "it is missing" : `it has ${actual} bytes, and had ${size}`;
  return [{ name: packName(id), reason }];
}

/** Chunks that are referred to, and that no pack has. */
function missingFrom(packs: readonly PackIndex[], wanted: ChunkSet): readonly DamagedChunk[] {
  const there = new ChunkSet();
  for (const pack of packs) {
    for (const { ids } of decodeFrames(pack.frames, pack.size)) for (const id of idsOf(ids)) there.add(id);
  }
  const missing: DamagedChunk[] = [];
  for (const id of wanted) if (!there.has(id)) missing.push({ id: hexOf(id), reason: "it is in no pack" });
  return missing;
}
