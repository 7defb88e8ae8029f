/** Cuts content that comes in pieces into chunks, in a window of bounded size. */
import { findCut, sizesAt } from "./chunker.ts";

/** Bytes that are read ahead of the longest chunk, so that the rest is moved to the front seldom. */
const SLACK = 1024 * 1024;

/** Cuts of an earlier version of the content. */
export interface KnownCuts {
  /** How long the chunk was that began there. */
  lengthAt(offset: number): number | undefined;
  /** Whether the bytes are that chunk's. */
  isAsBefore(bytes: Uint8Array, offset: number): boolean;
}

export class Cutter {
  #window = new Uint8Array(0);
  /** Where the open chunk begins in the window, and where the bytes end that are there. */
  #start = 0;
  #end = 0;
  #offset: number;
  readonly #onChunk: (bytes: Uint8Array, offset: number) => void;
  readonly #known: KnownCuts | undefined;

  /**
   * @param onChunk given each chunk and where it begins in the content; the bytes are valid during the call
   * @param offset where the content begins that is given, in bytes
   * @param known cuts that are taken over where the bytes are the same
   */
  constructor(onChunk: (bytes: Uint8Array, offset: number) => void, offset = 0, known?: KnownCuts) {
    this.#onChunk = onChunk;
    this.#known = known;
    this.#offset = offset;
  }

  /** Where the next chunk begins in the content. */
  get offset(): number {
    return this.#offset;
  }

  /** Where to put the next bytes; then say with {@link filled} how many. */
  space(): Uint8Array {
    const wanted = sizesAt(this.#offset).max * 2 + SLACK;
    if (this.#window.length < wanted) this.#move(new Uint8Array(wanted));
    else if (this.#end > this.#window.length - SLACK) this.#move(this.#window);
    return this.#window.subarray(this.#end);
  }

  filled(count: number): void {
    this.#end += count;
    while (this.#end - this.#start > sizesAt(this.#offset).max) this.#cut();
  }

  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const space = this.space();
      const count = Math.min(space.length, bytes.length - at);
      space.set(bytes.subarray(at, at + count));
      this.filled(count);
      at += count;
    }
  }

  /** The content ends here. */
  end(): void {
    while (this.#end > this.#start) this.#cut();
  }

  #cut(): void {
    const start = this.#start;
    const cut = this.#knownCut() ?? findCut(this.#window, start, this.#end, sizesAt(this.#offset));
    const offset = this.#offset;
    this.#start = cut;
    this.#offset += cut - start;
    this.#onChunk(this.#window.subarray(start, cut), offset);
  }

  #knownCut(): number | undefined {
    const length = this.#known?.lengthAt(this.#offset);
    if (length === undefined || this.#start + length > this.#end) return undefined;
    const cut = this.#start + length;
    return this.#known!.isAsBefore(this.#window.subarray(this.#start, cut), this.#offset) ? cut : undefined;
  }

  #move(to: Uint8Array<ArrayBuffer>): void {
    to.set(this.#window.subarray(this.#start, this.#end));
    this.#window = to;
    this.#end -= this.#start;
    this.#start = 0;
  }
}
