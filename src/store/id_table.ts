/**
 * A set of chunk ids in memory that threads share, each with the number under which it was added: what is in the store,
 * and what this process is adding to it. 40 to 48 bytes an id.
 */

export const ID_BYTES = 32;
const ID_WORDS = ID_BYTES / 4;
/** In `control`. */
const LOCK = 0;
const COUNT = 1;

/** Passes through `postMessage`. */
export interface SharedIdTable {
  readonly ids: SharedArrayBuffer;
  /** For each slot the number of an id plus one; 0: empty. A power of two. */
  readonly slots: SharedArrayBuffer;
  readonly control: SharedArrayBuffer;
}

export class IdTable {
  readonly shared: SharedIdTable;
  readonly #ids: Uint32Array;
  readonly #slots: Int32Array;
  readonly #control: Int32Array;

  constructor(shared: SharedIdTable) {
    this.shared = shared;
    this.#ids = new Uint32Array(shared.ids);
    this.#slots = new Int32Array(shared.slots);
    this.#control = new Int32Array(shared.control);
  }

  /** @param capacity ids that it can hold */
  static withCapacity(capacity: number): IdTable {
    let slots = 1024;
    while (slots < capacity * 2) slots *= 2;
    return new IdTable({
      ids: new SharedArrayBuffer(capacity * ID_BYTES),
      slots: new SharedArrayBuffer(slots * 4),
      control: new SharedArrayBuffer(2 * 4),
    });
  }

  get count(): number {
    return Atomics.load(this.#control, COUNT);
  }

  get capacity(): number {
    return this.#ids.length / ID_WORDS;
  }

  /** The number of an id, undefined when it is not there. */
  find(id: Uint8Array): number | undefined {
    const words = wordsOf(id);
    const slot = this.#slot(words);
    const number = Atomics.load(this.#slots, slot);
    return number === 0 ? undefined : number - 1;
  }

  /**
   * Adds an id.
   * @returns false when it was there already. When the table is full it is not added, and that is true: what two threads
   *   then store twice is only larger.
   */
  add(id: Uint8Array): boolean {
    const words = wordsOf(id);
    while (Atomics.compareExchange(this.#control, LOCK, 0, 1) !== 0);
    try {
      const slot = this.#slot(words);
      if (this.#slots[slot] !== 0) return false;
      const number = this.#control[COUNT]!;
      if (number >= this.capacity) return true;
      this.#ids.set(words, number * ID_WORDS);
      // Last, and atomic: whoever sees the number sees the id.
      Atomics.store(this.#slots, slot, number + 1);
      Atomics.store(this.#control, COUNT, number + 1);
      return true;
    } finally {
      Atomics.store(this.#control, LOCK, 0);
    }
  }

  /** The id that was added under a number. */
  idAt(number: number): Uint8Array {
    return new Uint8Array(this.shared.ids, number * ID_BYTES, ID_BYTES);
  }

  /** Where an id is, or would be put. Ids are digests: their first bits are as good as any sum of them. */
  #slot(words: Uint32Array): number {
    const mask = this.#slots.length - 1;
    const ids = this.#ids;
    for (let slot = words[0]! & mask;; slot = (slot + 1) & mask) {
      const number = this.#slots[slot]!;
      if (number === 0) return slot;
      const at = (number - 1) * ID_WORDS;
      let i = 0;
      while (i < ID_WORDS && ids[at + i] === words[i]) i++;
      if (i === ID_WORDS) return slot;
    }
  }
}

const scratch = new Uint32Array(ID_WORDS);
const scratchBytes = new Uint8Array(scratch.buffer);

/** Valid until the next call. */
function wordsOf(id: Uint8Array): Uint32Array {
  scratchBytes.set(id);
  return scratch;
}
