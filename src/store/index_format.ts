/**
 * What packs and indexes say of chunks: for each pack its frames in order, for each frame its chunks in order. The same
 * bytes are the end of a pack and, of many packs together, an index. Numbers are little-endian.
 */
import { compress, decompress } from "./codec.ts";
import type { ChunkCipher } from "./cipher.ts";
import { ID_BYTES } from "./id_table.ts";
import { hexOf } from "./layout.ts";

/** A part of a pack that is compressed and sealed on its own. */
export interface Frame {
  /** Where it begins in the pack. */
  readonly offset: number;
  /** Its length there. */
  readonly stored: number;
  /** Its length when it is opened and decompressed: that of its chunks together. */
  readonly raw: number;
  readonly codec: number;
  readonly sizes: readonly number[];
  /** 32 bytes for each chunk. */
  readonly ids: Uint8Array;
}

/** A pack and what is in it. */
export interface PackIndex {
  readonly id: string;
  /** Length of the whole file. */
  readonly size: number;
  /** As {@link encodeFrames} gives it. */
  readonly frames: Uint8Array;
}

const FRAME_FIELDS = 5;
const PACK_ID_BYTES = 16;
const HEAD_BYTES = 16;
const MAX_BODY_BYTES = 1 << 30;

/** @returns columns: frames, chunks; offset, stored, raw, codec and number of chunks of each frame; sizes; ids */
export function encodeFrames(frames: readonly Frame[]): Uint8Array<ArrayBuffer> {
  const chunks = frames.reduce((sum, frame) => sum + frame.sizes.length, 0);
  const bytes = new Uint8Array((2 + frames.length * FRAME_FIELDS + chunks) * 4 + chunks * ID_BYTES);
  const words = new Uint32Array(bytes.buffer, 0, 2 + frames.length * FRAME_FIELDS + chunks);
  words[0] = frames.length;
  words[1] = chunks;
  const columns = 2;
  let chunk = 2 + frames.length * FRAME_FIELDS;
  let idAt = words.byteLength;
  frames.forEach((frame, index) => {
    const fields = [frame.offset, frame.stored, frame.raw, frame.codec, frame.sizes.length];
    fields.forEach((value, field) => words[columns + field * frames.length + index] = value);
    words.set(frame.sizes, chunk);
    chunk += frame.sizes.length;
    bytes.set(frame.ids, idAt);
    idAt += frame.ids.length;
  });
  return bytes;
}

/** @throws {Error} the numbers do not fit together */
export function decodeFrames(bytes: Uint8Array, packSize: number): Frame[] {
  const words = new Uint32Array(new Uint8Array(bytes).buffer, 0, bytes.length >>> 2);
  const [count = 0, chunks = 0] = words;
  const sizesAt = 2 + count * FRAME_FIELDS;
  if (bytes.length !== (sizesAt + chunks) * 4 + chunks * ID_BYTES) throw new Error("its length is wrong");
  const frames: Frame[] = [];
  let chunk = 0;
  for (let index = 0; index < count; index++) {
    const field = (number: number) => words[2 + number * count + index]!;
    const [offset, stored, raw, codec, length] = [field(0), field(1), field(2), field(3), field(4)];
    const sizes = Array.from(words.subarray(sizesAt + chunk, sizesAt + chunk + length));
    const idsFrom = (sizesAt + chunks) * 4 + chunk * ID_BYTES;
    const ids = bytes.subarray(idsFrom, idsFrom + length * ID_BYTES);
    if (offset + stored > packSize || chunk + length > chunks || sizes.reduce((a, b) => a + b, 0) !== raw) {
      throw new Error("a frame does not fit");
    }
    frames.push({ offset, stored, raw, codec, sizes, ids });
    chunk += length;
  }
  if (chunk !== chunks) throw new Error("chunks are left over");
  return frames;
}

/** The bytes of an index of packs, before they are sealed. */
export function encodePacks(packs: readonly PackIndex[]): Uint8Array<ArrayBuffer> {
  const length = packs.reduce((sum, pack) => sum + HEAD_BYTES + PACK_ID_BYTES + pack.frames.length, 0);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { id, size, frames } of packs) {
    for (let i = 0; i < PACK_ID_BYTES; i++) bytes[at + i] = parseInt(id.slice(i * 2, i * 2 + 2), 16);
    view.setFloat64(at + PACK_ID_BYTES, size, true);
    view.setUint32(at + PACK_ID_BYTES + 8, frames.length, true);
    bytes.set(frames, at + PACK_ID_BYTES + HEAD_BYTES);
    at += PACK_ID_BYTES + HEAD_BYTES + frames.length;
  }
  return bytes;
}

/** @throws {Error} it ends too early */
export function decodePacks(bytes: Uint8Array): PackIndex[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const packs: PackIndex[] = [];
  for (let at = 0; at < bytes.length;) {
    const id = hexOf(bytes.subarray(at, at + PACK_ID_BYTES));
    const size = view.getFloat64(at + PACK_ID_BYTES, true);
    const length = view.getUint32(at + PACK_ID_BYTES + 8, true);
    at += PACK_ID_BYTES + HEAD_BYTES;
    if (at + length > bytes.length) throw new Error("it ends too early");
    packs.push({ id, size, frames: bytes.subarray(at, at + length) });
    at += length;
  }
  return packs;
}

/** Compresses and seals: codec and length in front, so that it can be opened again. */
export function sealBody(
  body: Uint8Array,
  cipher: ChunkCipher,
  level: number,
  context: string,
): Uint8Array<ArrayBuffer> {
  const { codec, bytes } = compress(body, level);
  const inner = new Uint8Array(5 + bytes.length);
  inner[0] = codec;
  new DataView(inner.buffer).setUint32(1, body.length, true);
  inner.set(bytes, 5);
  return new Uint8Array(cipher.seal(inner, context));
}

/** @throws {Error} it was changed, or sealed with another key */
export function openBody(sealed: Uint8Array, cipher: ChunkCipher, context: string): Uint8Array {
  const inner = cipher.open(sealed, context);
  if (inner.length < 5) throw new Error("it ends too early");
  const size = new DataView(inner.buffer, inner.byteOffset, inner.byteLength).getUint32(1, true);
  if (size > MAX_BODY_BYTES) throw new Error("its length is absurd");
  return decompress(inner[0]!, inner.subarray(5), size);
}
