/** Stores content that is given as bytes: one chunk while it is small, cut where it is large, like files. */
import { addSmallContent, WHOLE_FILE_BYTES } from "./add_file.ts";
import type { ChunkTaker } from "./chunk_adder.ts";
import { Cutter } from "./cutter.ts";
import type { ContentRef } from "./model.ts";

export class ContentAdder {
  readonly #adder: ChunkTaker;
  readonly #chunks: string[] = [];
  #size = 0;
  /** What was given so far, until it is known to be large. */
  #small: Uint8Array[] = [];
  #cutter: Cutter | undefined;

  constructor(adder: ChunkTaker) {
    this.#adder = adder;
  }

  push(bytes: Uint8Array): void {
    this.#size += bytes.length;
    if (this.#cutter !== undefined) return this.#cutter.push(bytes);
    this.#small.push(bytes);
    if (this.#size <= WHOLE_FILE_BYTES) return;
    this.#cutter = new Cutter((chunk) => this.#chunks.push(this.#adder.add(chunk).id));
    const small = this.#small;
    this.#small = [];
    for (const piece of small) this.#cutter.push(piece);
  }

  end(): ContentRef {
    if (this.#cutter === undefined) return addSmallContent(joined(this.#small), this.#adder);
    this.#cutter.end();
    return { size: this.#size, chunks: this.#chunks };
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
