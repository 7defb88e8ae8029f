/** Which packs a collection keeps, moves and takes away. Pure: the same facts give the same plan. */
import type { ChunkSet } from "./chunk_set.ts";
import { idsOf } from "./chunk_set.ts";
import { decodeFrames, type PackIndex } from "./index_format.ts";

/** A pack as the index and a listing tell of it. */
export interface PackFacts {
  readonly index: PackIndex;
  /** Only these are looked at last, so that what they hold is looked for elsewhere first. */
  readonly isLast: boolean;
}

export interface PackVerdict {
  readonly id: string;
  /** Bytes of the file. */
  readonly size: number;
  /** `dead`: nothing of it is needed. `sparse`: little of it is. */
  readonly kind: "keep" | "sparse" | "dead";
  /** Bytes of chunks that are needed from this pack, uncompressed. */
  readonly neededBytes: number;
  readonly totalBytes: number;
}

export interface PlanLimits {
  /** A pack of which a smaller share is needed is moved. */
  readonly sparseShare: number;
  /** Smaller packs are put together when there are more than `maxSmall` of them, in bytes. */
  readonly smallBytes: number;
  readonly maxSmall: number;
}

export const PLAN_LIMITS: PlanLimits = { sparseShare: 0.5, smallBytes: 2 * 1024 * 1024, maxSmall: 32 };

/**
 * Judges packs. A chunk that is in several packs is needed from the first of them only: those that are mostly needed
 * come first, and those that are doomed already come last.
 * @param packs only such as are there, with their right size
 * @param live the chunks that snapshots refer to
 */
export function judgePacks(
  packs: readonly PackFacts[],
  live: ChunkSet,
  limits: PlanLimits = PLAN_LIMITS,
): readonly PackVerdict[] {
  const counted = packs.map((pack) => ({ ...pack, ...count(pack.index, live) }));
  counted.sort((a, b) =>
    Number(a.isLast) - Number(b.isLast) || b.liveShare - a.liveShare || (a.index.id < b.index.id ? -1 : 1)
  );
  const covered = new Uint8Array(live.count);
  const verdicts = counted.map(({ index, totalBytes }): PackVerdict => {
    const { neededBytes, needed } = cover(index, live, covered);
    const kind = needed === 0 ? "dead" : neededBytes < totalBytes * limits.sparseShare ? "sparse" : "keep";
    return { id: index.id, size: index.size, kind, neededBytes, totalBytes };
  });
  return gatherSmall(verdicts, limits);
}

/** Many small packs are as slow to read as one of them is fast to write. */
function gatherSmall(verdicts: readonly PackVerdict[], limits: PlanLimits): readonly PackVerdict[] {
  const isSmall = (it: PackVerdict) => it.kind === "keep" && it.size < limits.smallBytes;
  if (verdicts.filter(isSmall).length <= limits.maxSmall) return verdicts;
  return verdicts.map((it) => isSmall(it) ? { ...it, kind: "sparse" } : it);
}

function count(
  index: PackIndex,
  live: ChunkSet,
): { readonly totalBytes: number; readonly liveShare: number } {
  let totalBytes = 0;
  let liveBytes = 0;
  for (const frame of decodeFrames(index.frames, index.size)) {
    let at = 0;
    for (const id of idsOf(frame.ids)) {
      const size = frame.sizes[at++]!;
      totalBytes += size;
      if (live.has(id)) liveBytes += size;
    }
  }
  return { totalBytes, liveShare: totalBytes === 0 ? 0 : liveBytes / totalBytes };
}

/** Live chunks that no earlier pack had, and their bytes; they are covered from now on. */
function cover(
  index: PackIndex,
  live: ChunkSet,
  covered: Uint8Array,
): { readonly needed: number; readonly neededBytes: number } {
  let needed = 0;
  let neededBytes = 0;
  for (const frame of decodeFrames(index.frames, index.size)) {
    let at = 0;
    for (const id of idsOf(frame.ids)) {
      const size = frame.sizes[at++]!;
      const number = live.find(id);
      if (number === undefined || covered[number] === 1) continue;
      covered[number] = 1;
      needed++;
      neededBytes += size;
    }
  }
  return { needed, neededBytes };
}
