/** What a child printed: the last part of it, and lines of it that are safe to show. */

/** As much of a child's output as is kept: its end says why it failed. */
export const OUTPUT_LIMIT_BYTES = 64 * 1024;

const SHOWN_LINES = 5;
const SHOWN_LINE_LENGTH = 200;

/** Control characters, and the marks that turn the direction of text around. */
// deno-lint-ignore no-control-regex -- control characters are what is replaced
const HARMFUL = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** Keeps the last bytes of a stream. */
export class Tail {
  readonly #limit: number;
  #chunks: Uint8Array[] = [];
  #size = 0;
  #isCut = false;

  constructor(limit = OUTPUT_LIMIT_BYTES) {
    this.#limit = limit;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    while (this.#size > this.#limit) {
      const first = this.#chunks[0]!;
      const excess = this.#size - this.#limit;
      this.#isCut = true;
      if (first.length <= excess) this.#chunks.shift();
      else this.#chunks[0] = first.slice(excess); // a copy: a view would keep the whole chunk alive
      this.#size -= Math.min(first.length, excess);
    }
  }

  /** True when something before the kept part was dropped. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** The kept part; bytes that are not UTF-8 become U+FFFD. */
  text(): string {
    const bytes = new Uint8Array(this.#size);
    let offset = 0;
    for (const chunk of this.#chunks) {
      bytes.set(chunk, offset);
      offset += chunk.length;
    }
    // The cut may have gone through a character.
    const start = this.#isCut ? Math.max(0, bytes.subarray(0, 4).findIndex((it) => (it & 0xc0) !== 0x80)) : 0;
    return new TextDecoder().decode(bytes.subarray(start));
  }
}

/** The last lines of an output as one line that cannot move the cursor or hide anything; empty where nothing was printed. */
export function lastLines(output: string, count = SHOWN_LINES): string {
  return output.split("\n")
    .map((line) => shownLine(line.trim()))
    .filter((line) => line !== "")
    .slice(-count)
    .join(" | ");
}

function shownLine(line: string): string {
  const cut = line.length > SHOWN_LINE_LENGTH ? `${line.slice(0, SHOWN_LINE_LENGTH)}…` : line;
  return cut.replace(HARMFUL, (it) => it === "\u001b" ? "\\e" : `\\x${it.codePointAt(0)!.toString(16)}`);
}
