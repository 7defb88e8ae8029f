/**
 * The chunks of an earlier version of a large file. Where the bytes are the same the cuts are the same, so they need not be
 * looked for: to see that a chunk is as it was costs its digest, which is needed anyway.
 */
import * as crypto from "node:crypto";
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

/** Those that begin in a part of the content. */
export function earlierIn(all: EarlierChunks, from: number, to: number): EarlierChunks {
  let at = all.from;
  let first = 0;
  while (first < all.ids.length && at < from) at += all.sizes[first++]!;
  let last = first;
  for (let end = at; last < all.ids.length && end < to;) end += all.sizes[last++]!;
  return { from: at, ids: all.ids.slice(first, last), sizes: all.sizes.slice(first, last) };
}

export class EarlierCuts implements KnownCuts {
  readonly #chunks = new Map<number, { readonly id: string; readonly size: number }>();
  readonly #idOf: (sha256: Uint8Array) => Uint8Array;
  /** The chunk that was found to be as it was. */
  #last: { readonly offset: number; readonly sha256: Uint8Array } | undefined;

  /** @param idOf the id of a chunk with this digest */
  constructor({ from, ids, sizes }: EarlierChunks, idOf: (sha256: Uint8Array) => Uint8Array) {
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
    const sha256 = crypto.createHash("sha256").update(bytes).digest();
    if (hexOf(this.#idOf(sha256)) !== this.#chunks.get(offset)?.id) return false;
    this.#last = { offset, sha256 };
    return true;
  }

  /** The SHA-256 of the chunk there, if it was just found to be as before. */
  digestAt(offset: number): Uint8Array | undefined {
    return this.#last?.offset === offset ? this.#last.sha256 : undefined;
  }
}
