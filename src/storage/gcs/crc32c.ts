/** CRC-32C (Castagnoli), the checksum that Google Cloud Storage keeps of every object. Eight bytes a round, by tables. */

const POLYNOMIAL = 0x82f63b78;
let tables: readonly Int32Array[] | undefined;

/** Made when first needed: 8 KiB. `table[n][b]` is byte b followed by n zero bytes. */
function makeTables(): readonly Int32Array[] {
  const first = Int32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    return value;
  });
  const made = [first];
  for (let zeros = 1; zeros < 8; zeros++) {
    made.push(made[zeros - 1]!.map((value) => first[value & 0xff]! ^ (value >>> 8)));
  }
  return made;
}

/** A running checksum. */
export class Crc32c {
  #state = -1;

  update(bytes: Uint8Array): this {
    const [t0, t1, t2, t3, t4, t5, t6, t7] = (tables ??= makeTables()) as readonly Int32Array[] & {
      length: 8;
    };
    let crc = this.#state;
    let at = 0;
    for (const end = bytes.length - 7; at < end; at += 8) {
      const low = crc ^ (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24);
      crc = t7![low & 0xff]! ^ t6![low >>> 8 & 0xff]! ^ t5![low >>> 16 & 0xff]! ^ t4![low >>> 24]! ^
        t3![bytes[at + 4]!]! ^ t2![bytes[at + 5]!]! ^ t1![bytes[at + 6]!]! ^ t0![bytes[at + 7]!]!;
    }
    for (; at < bytes.length; at++) crc = t0![(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
    this.#state = crc;
    return this;
  }

  /** As the service writes it: base64 of the four bytes, most significant first. */
  toBase64(): string {
    const value = ~this.#state;
    return btoa(String.fromCharCode(value >>> 24, value >>> 16 & 0xff, value >>> 8 & 0xff, value & 0xff));
  }
}
