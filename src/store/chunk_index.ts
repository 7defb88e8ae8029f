/** Where chunks are: what the indexes say, in memory, as columns of numbers. */
import type { FinishedIndex } from "./index_file.ts";
import { IdTable } from "./id_table.ts";
import { decodeFrames, type PackIndex } from "./index_format.ts";

/** A chunk in its frame, and the frame in its pack. */
export interface ChunkPlace {
  readonly pack: PackIndex;
  readonly offset: number;
  readonly stored: number;
  readonly raw: number;
  readonly codec: number;
  /** In the opened frame. */
  readonly start: number;
  readonly size: number;
}

const FRAME_FIELDS = 5;

/** What some indexes say. Does not change any more. */
export class ChunkIndex {
  readonly table: IdTable;
  readonly packs: PackIndex[] = [];
  readonly #frameOf: Uint32Array;
  readonly #startOf: Uint32Array;
  readonly #sizeOf: Uint32Array;
  /** Number of the pack, offset, stored, raw, codec. */
  readonly #frames: Uint32Array;

  /** @param onDamaged called when what an index says does not fit together; must throw */
  constructor(indexes: readonly FinishedIndex[], onDamaged: (index: FinishedIndex, cause: unknown) => never) {
    const { frames, chunks } = countAll(indexes);
    this.table = IdTable.withCapacity(chunks);
    this.#frameOf = new Uint32Array(chunks);
    this.#startOf = new Uint32Array(chunks);
    this.#sizeOf = new Uint32Array(chunks);
    this.#frames = new Uint32Array(frames * FRAME_FIELDS);
    let frame = 0;
    for (const index of indexes) {
      for (const pack of index.packs) {
        try {
          frame = this.#addPack(pack, frame);
        } catch (cause) {
          onDamaged(index, cause);
        }
      }
    }
  }

  find(id: Uint8Array): ChunkPlace | undefined {
    const number = this.table.find(id);
    if (number === undefined) return undefined;
    const at = this.#frameOf[number]! * FRAME_FIELDS;
    const field = (index: number) => this.#frames[at + index]!;
    return {
      pack: this.packs[field(0)]!,
      ...{ offset: field(1), stored: field(2), raw: field(3), codec: field(4) },
      ...{ start: this.#startOf[number]!, size: this.#sizeOf[number]! },
    };
  }

  #addPack(pack: PackIndex, firstFrame: number): number {
    let number = firstFrame;
    for (const { offset, stored, raw, codec, sizes, ids } of decodeFrames(pack.frames, pack.size)) {
      this.#frames.set([this.packs.length, offset, stored, raw, codec], number * FRAME_FIELDS);
      let start = 0;
      sizes.forEach((size, i) => {
        const chunk = this.table.count;
        // The same chunk may be in two packs: two processes stored it at the same time.
        if (this.table.add(ids.subarray(i * 32, i * 32 + 32))) {
          this.#frameOf[chunk] = number;
          this.#startOf[chunk] = start;
          this.#sizeOf[chunk] = size;
        }
        start += size;
      });
      number++;
    }
    // What is kept of the pack is small: its frames are in the columns now.
    this.packs.push({ ...pack, frames: new Uint8Array(0) });
    return number;
  }
}

function countAll(indexes: readonly FinishedIndex[]): { frames: number; chunks: number } {
  let frames = 0;
  let chunks = 0;
  for (const { frames: bytes } of indexes.flatMap((index) => index.packs)) {
    if (bytes.length < 8) continue; // said to be damaged when it is added
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    // No more than there is room for, whatever it says.
    frames += Math.min(view.getUint32(0, true), bytes.length);
    chunks += Math.min(view.getUint32(4, true), bytes.length >>> 5);
  }
  return { frames, chunks };
}
