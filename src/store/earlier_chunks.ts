/**
 * The chunks of an earlier version of a large file. Where the bytes are the same the cuts are the same, so they need not be
 * looked for: to see that a chunk is as it was costs its digest, which is needed anyway.
 */
import { sha256 } from "#/core/sha256.ts";
import type { KnownCuts } from "./cutter.ts";
import { hexOf } from "./layout.ts";

/** Chunks that follow each other. Passes through `postMessage`. */
export interface EarlierChunks {
  /** Where the first begins in the content, in bytes. */
  readonly from: number;
  /** In hex. */
  readonly ids: readonly string[];
  /** In bytes. */
  readonly sizes: readonly number[];
}

/** How an earlier version of a file was cut. */
export class EarlierVersion {
  readonly #ids: readonly string[];
  /** Where each chunk begins, and where the last ends. */
  readonly #starts: Float64Array;

  /** @param ids in hex @param sizes in bytes */
  constructor(ids: readonly string[], sizes: readonly number[]) {
    this.#ids = ids;
    this.#starts = new Float64Array(ids.length + 1);
    sizes.forEach((size, i) => this.#starts[i + 1] = this.#starts[i]! + size);
  }

  /** The chunks that begin in a part of the content. */
  within(from: number, to: number): EarlierChunks {
    const [first, last] = [this.#firstFrom(from), this.#firstFrom(to)];
    const starts = this.#starts.subarray(first, last + 1);
    return {
      from: starts[0]!,
      ids: this.#ids.slice(first, last),
      sizes: Array.from(starts.subarray(1), (end, i) => end - starts[i]!),
    };
  }

  /** The number of the first chunk that begins there or later; that of chunks where there is none. */
  #firstFrom(offset: number): number {
    let [low, high] = [0, this.#ids.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#starts[middle]! < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export class EarlierCuts implements KnownCuts {
  readonly #chunks = new Map<number, { readonly id: string; readonly size: number }>();
  readonly #idOf: (digest: Uint8Array) => Uint8Array;
  /** The chunk that was found to be as it was. */
  #last: { readonly offset: number; readonly digest: Uint8Array } | undefined;

  /** @param idOf the id of a chunk with this digest */
  constructor({ from, ids, sizes }: EarlierChunks, idOf: (digest: Uint8Array) => Uint8Array) {
    this.#idOf = idOf;
    let at = from;
    ids.forEach((id, i) => {
      this.#chunks.set(at, { id, size: sizes[i]! });
      at += sizes[i]!;
    });
  }

  lengthAt(offset: number): number | undefined {
    return this.#chunks.get(offset)?.size;
  }

  isAsBefore(bytes: Uint8Array, offset: number): boolean {
    const digest = sha256(bytes);
    if (hexOf(this.#idOf(digest)) !== this.#chunks.get(offset)?.id) return false;
    this.#last = { offset, digest };
    return true;
  }

  /** The SHA-256 of the chunk there, if it was just found to be as before. */
  digestAt(offset: number): Uint8Array | undefined {
    return this.#last?.offset === offset ? this.#last.digest : undefined;
  }
}
