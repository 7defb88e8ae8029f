/** A growing set of chunk ids, each with the number under which it was added. */
import { ID_BYTES, IdTable } from "./id_table.ts";

const FIRST_CAPACITY = 4096;

export class ChunkSet {
  #table = IdTable.withCapacity(FIRST_CAPACITY);

  get count(): number {
    return this.#table.count;
  }

  has(id: Uint8Array): boolean {
    return this.#table.find(id) !== undefined;
  }

  /** Its number; undefined when it is not in it. */
  find(id: Uint8Array): number | undefined {
    return this.#table.find(id);
  }

  add(id: Uint8Array): void {
    if (this.#table.count === this.#table.capacity) this.#grow();
    this.#table.add(id);
  }

  addHex(id: string): void {
    this.add(Uint8Array.fromHex(id));
  }

  [Symbol.iterator](): Generator<Uint8Array, void> {
    return this.from(0);
  }

  /** Those that were added as this number and later. */
  *from(first: number): Generator<Uint8Array, void> {
    for (let number = first; number < this.#table.count; number++) yield this.#table.idAt(number);
  }

  /** Numbers stay: ids are added again in their order. */
  #grow(): void {
    const larger = IdTable.withCapacity(this.#table.capacity * 2);
    for (const id of this) larger.add(id);
    this.#table = larger;
  }
}

/** The ids of a frame, one by one. */
export function* idsOf(ids: Uint8Array): Generator<Uint8Array, void> {
  for (let at = 0; at < ids.length; at += ID_BYTES) yield ids.subarray(at, at + ID_BYTES);
}
