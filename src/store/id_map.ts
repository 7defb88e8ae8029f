/** What chunks of one store are called in another. */
import { ChunkSet } from "./chunk_set.ts";
import { ID_BYTES } from "./id_table.ts";
import { hexOf } from "./layout.ts";

export class IdMap {
  readonly #from = new ChunkSet();
  #to = new Uint8Array(1024 * ID_BYTES);

  has(id: Uint8Array): boolean {
    return this.#from.has(id);
  }

  set(from: Uint8Array, to: Uint8Array): void {
    if (this.#from.has(from)) return;
    const at = this.#from.count * ID_BYTES;
    if (at === this.#to.length) {
      const larger = new Uint8Array(at * 2);
      larger.set(this.#to);
      this.#to = larger;
    }
    this.#to.set(to, at);
    this.#from.add(from);
  }

  /** Both in hex. */
  getHex(id: string): string | undefined {
    const number = this.#from.find(Uint8Array.fromHex(id));
    return number === undefined
      ? undefined
      : hexOf(this.#to.subarray(number * ID_BYTES, (number + 1) * ID_BYTES));
  }
}
