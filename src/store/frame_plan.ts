/** In which order frames are read to write many files: pack by pack, each frame once. */
import { IntegrityError } from "#/core/errors.ts";
import type { ChunkPlace } from "./chunk_index.ts";
import { packName } from "./layout.ts";
import type { FileToWrite } from "./store.ts";
import type { ChunkTarget, ChunkToRestore, FrameToRestore } from "./restore_frames.ts";

/** Frames of a pack that are read in one go. */
export interface FrameRun {
  readonly pack: string;
  readonly offset: number;
  readonly length: number;
  readonly frames: readonly FrameToRestore[];
  /** Of the content that is written, in bytes. */
  readonly bytes: number;
  /** How much is read of this pack by all of its runs, in bytes. */
  readonly ofPack: number;
}

/** A run holds so much of a pack at most (or one frame), so that threads share the work. */
const RUN_BYTES = 2 * 1024 * 1024;
const RUN_TARGETS = 1024;
/** What lies between two frames and is not wanted is read along if it is no longer than this. */
const GAP_BYTES = 128 * 1024;

/** Content that does not fit its chunks was not written by a store. */
export class SizeError extends IntegrityError {}

interface OpenFrame {
  readonly place: ChunkPlace;
  readonly chunks: Map<number, { readonly chunk: ChunkToRestore; readonly targets: ChunkTarget[] }>;
}

/** Chunks of files, by their places in `content.chunks`. */
export type ChunksOfFiles = ReadonlyMap<FileToWrite, ReadonlySet<number>>;

/**
 * @param find where a chunk is; must throw where it is nowhere
 * @param written what needs no frame
 * @throws {SizeError} the chunks of a file are not as long as the file
 */
export function planFrames(
  files: readonly FileToWrite[],
  find: (id: string) => ChunkPlace,
  written: ChunksOfFiles = new Map(),
): readonly FrameRun[] {
  const packs = new Map<string, Map<number, OpenFrame>>();
  for (const file of files) {
    let at = 0;
    const { chunks, size } = file.content;
    const done = written.get(file);
    for (const [index, id] of chunks.entries()) {
      const place = find(id);
      if (done?.has(index) !== true) {
        addTarget(packs, place, id, {
          ...{ path: file.path, at, whole: chunks.length === 1, sparse: file.sparse === true },
          look: file.look,
        });
      }
      at += place.size;
    }
    if (at !== size) {
      throw new SizeError(
        `The content of ${file.path} in the snapshot store is ${at} bytes long, not ${size}`,
        {
          hint: "Its description was changed: run `backout snapshot verify --read-data`.",
        },
      );
    }
  }
  return [...packs].flatMap(([pack, frames]) => runsOf(pack, frames));
}

function addTarget(
  packs: Map<string, Map<number, OpenFrame>>,
  place: ChunkPlace,
  id: string,
  target: ChunkTarget,
): void {
  const pack = packs.get(place.pack.id) ?? new Map<number, OpenFrame>();
  packs.set(place.pack.id, pack);
  const frame = pack.get(place.offset) ?? { place, chunks: new Map() };
  pack.set(place.offset, frame);
  const known = frame.chunks.get(place.start);
  if (known !== undefined) return void known.targets.push(target);
  const targets = [target];
  frame.chunks.set(place.start, { chunk: { start: place.start, size: place.size, id, targets }, targets });
}

function runsOf(pack: string, frames: Map<number, OpenFrame>): FrameRun[] {
  const runs: Omit<FrameRun, "ofPack">[] = [];
  let open: OpenFrame[] = [];
  let targets = 0;
  const end = () => {
    if (open.length > 0) runs.push(runOf(pack, open));
    open = [];
    targets = 0;
  };
  for (const frame of [...frames.values()].sort((a, b) => a.place.offset - b.place.offset)) {
    const first = open[0]?.place;
    const last = open.at(-1)?.place;
    const { offset, stored } = frame.place;
    const isFar = last !== undefined && offset - (last.offset + last.stored) > GAP_BYTES;
    const isLong = first !== undefined && offset + stored - first.offset > RUN_BYTES;
    if (isFar || isLong || targets > RUN_TARGETS) end();
    open.push(frame);
    for (const chunk of frame.chunks.values()) targets += chunk.targets.length;
  }
  end();
  const ofPack = runs.reduce((sum, { length }) => sum + length, 0);
  return runs.map((run) => ({ ...run, ofPack }));
}

function runOf(pack: string, open: readonly OpenFrame[]): Omit<FrameRun, "ofPack"> {
  const frames = open.map(({ place, chunks }) => ({
    ...{ offset: place.offset, stored: place.stored, raw: place.raw, codec: place.codec },
    chunks: [...chunks.values()].map(({ chunk }) => chunk),
  }));
  const { offset } = frames[0]!;
  const last = frames.at(-1)!;
  const bytes = frames.flatMap((frame) => frame.chunks).reduce(
    (sum, it) => sum + it.size * it.targets.length,
    0,
  );
  return { pack: packName(pack), offset, length: last.offset + last.stored - offset, frames, bytes };
}
