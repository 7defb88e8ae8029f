/** Cuts content that comes in pieces into chunks, in a window of bounded size. */
import { findCut, sizesAt } from "./chunker.ts";

/** Bytes that are read ahead of the longest chunk, so that the rest is moved to the front seldom. */
const SLACK = 1024 * 1024;

export class Cutter {
  #window = new Uint8Array(0);
  /** Where the open chunk begins in the window, and where the bytes end that are there. */
  #start = 0;
  #end = 0;
  #offset: number;
  readonly #onChunk: (bytes: Uint8Array, offset: number) => void;

  /**
   * @param onChunk given each chunk and where it begins in the content; the bytes are valid during the call
   * @param offset where the content begins that is given, in bytes
   */
  constructor(onChunk: (bytes: Uint8Array, offset: number) => void, offset = 0) {
    this.#onChunk = onChunk;
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
    const cut = findCut(this.#window, start, this.#end, sizesAt(this.#offset));
    const offset = this.#offset;
    this.#start = cut;
    this.#offset += cut - start;
    this.#onChunk(this.#window.subarray(start, cut), offset);
  }

  #move(to: Uint8Array<ArrayBuffer>): void {
    to.set(this.#window.subarray(this.#start, this.#end));
    this.#window = to;
    this.#end -= this.#start;
    this.#start = 0;
  }
}
