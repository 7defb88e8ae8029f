/** The second phase of a collection: what is needed of mostly dead packs goes into new ones. Only adds. */
import { IntegrityError } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import { ChunkSink } from "./chunk_sink.ts";
import { ChunkSet, idsOf } from "./chunk_set.ts";
import { chunksOf, readFrame } from "./frame_reader.ts";
import { decodeFrames, type Frame, type PackIndex } from "./index_format.ts";
import { packName } from "./layout.ts";
import type { Marked } from "./mark.ts";
import { damagedPack } from "./pack_format.ts";
import type { StoreParts } from "./store_parts.ts";

/**
 * @param ids packs of `marked`
 * @returns the packs of which all that is needed is elsewhere now; a damaged one is left as it is
 */
export async function movePacks(
  parts: StoreParts,
  marked: Marked,
  ids: readonly string[],
  signal?: AbortSignal,
): Promise<{ readonly ids: readonly string[]; readonly bytes: number }> {
  const wanted: Wanted = { ids: neededFrom(marked, new Set(ids)), done: new ChunkSet() };
  const sink = await ChunkSink.open(parts.backend, parts.cipher, parts.level);
  const moved: string[] = [];
  try {
    for (const id of ids) {
      throwIfStopped(signal);
      const index = marked.packs.get(id)!;
      if (await moveOne(parts, index, wanted, sink, signal)) moved.push(id);
    }
    await sink.finish();
  } catch (error) {
    sink.abort();
    throw error;
  }
  return { ids: moved, bytes: sink.storedBytes };
}

interface Wanted {
  readonly ids: ChunkSet;
  /** Of these, what is in a new pack already. */
  readonly done: ChunkSet;
}

/** Live chunks that no other pack has. */
function neededFrom(marked: Marked, moving: ReadonlySet<string>): ChunkSet {
  const elsewhere = new ChunkSet();
  for (const { id, kind } of marked.verdicts) {
    if (kind === "keep" && !moving.has(id)) addLive(marked.packs.get(id)!, marked, elsewhere, undefined);
  }
  const wanted = new ChunkSet();
  for (const id of moving) addLive(marked.packs.get(id)!, marked, wanted, elsewhere);
  return wanted;
}

function addLive(index: PackIndex, marked: Marked, to: ChunkSet, except: ChunkSet | undefined): void {
  for (const frame of decodeFrames(index.frames, index.size)) {
    for (const id of idsOf(frame.ids)) {
      if (marked.live.ids.has(id) && except?.has(id) !== true) to.add(id);
    }
  }
}

/** False when a part of it that is needed is damaged. */
async function moveOne(
  parts: StoreParts,
  index: PackIndex,
  wanted: Wanted,
  sink: ChunkSink,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  for (const frame of decodeFrames(index.frames, index.size)) {
    throwIfStopped(signal);
    if (![...idsOf(frame.ids)].some((id) => isWanted(wanted, id))) continue;
    try {
      await moveFrame(parts, index.id, frame, wanted, sink);
    } catch (error) {
      if (error instanceof IntegrityError) return false;
      throw error;
    }
  }
  return true;
}

function isWanted({ ids, done }: Wanted, id: Uint8Array): boolean {
  return ids.has(id) && !done.has(id);
}

async function moveFrame(
  { backend, cipher }: StoreParts,
  packId: string,
  frame: Frame,
  wanted: Wanted,
  sink: ChunkSink,
): Promise<void> {
  const opened = await readFrame(backend, cipher, packId, frame);
  if ("reason" in opened) throw damagedPack(backend, packName(packId), opened.reason);
  for (const { id, bytes } of chunksOf(cipher, frame, opened.bytes)) {
    if (!isWanted(wanted, id)) continue;
    if (bytes === undefined) throw damagedPack(backend, packName(packId), "a chunk is not what its id says");
    await sink.add(bytes, id);
    wanted.done.add(id);
  }
}
