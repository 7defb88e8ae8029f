/** The frame of a pack file: a mark at its begin, and at its end what is in it, so that an index can be made anew. */
import { sha256 } from "#/core/sha256.ts";
import { IntegrityError, StorageError } from "#/core/errors.ts";
import type { StoreBackend } from "./backend.ts";
import type { ChunkCipher } from "./cipher.ts";
import { decodeFrames, openBody, type PackIndex } from "./index_format.ts";
import { packName } from "./layout.ts";

/** The first bytes of a pack. */
export const PACK_MAGIC: Uint8Array = new TextEncoder().encode("BKOTPCK1");
/** The last. */
const END_MAGIC: Uint8Array = new TextEncoder().encode("1KCPTOKB");

const DIGEST_BYTES = 32;
/** Length of the footer, its SHA-256, a mark. */
const TRAILER_BYTES = 4 + DIGEST_BYTES + 8;

/** What follows a footer. */
export function encodeTrailer(footer: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(TRAILER_BYTES);
  new DataView(bytes.buffer).setUint32(0, footer.length, true);
  bytes.set(sha256(footer), 4);
  bytes.set(END_MAGIC, 4 + DIGEST_BYTES);
  return bytes;
}

/**
 * What a pack says of itself.
 * @throws {IntegrityError} it is missing, torn or changed
 */
export async function readPackFooter(
  backend: StoreBackend,
  id: string,
  cipher: ChunkCipher,
): Promise<PackIndex> {
  const name = packName(id);
  const size = await backend.size(name);
  if (size === undefined) throw damagedPack(backend, name, "it is missing");
  if (size < PACK_MAGIC.length + TRAILER_BYTES) throw damagedPack(backend, name, "it ends too early");
  const trailer = await backend.read(name, { offset: size - TRAILER_BYTES, length: TRAILER_BYTES });
  const end = trailer?.subarray(4 + DIGEST_BYTES);
  if (trailer === undefined || !END_MAGIC.every((byte, i) => end?.[i] === byte)) {
    throw damagedPack(backend, name, "its end is torn or changed");
  }
  const length = new DataView(trailer.buffer, trailer.byteOffset).getUint32(0, true);
  if (length > size) throw damagedPack(backend, name, "its end is changed");
  const footer = await backend.read(name, { offset: size - TRAILER_BYTES - length, length });
  const digest = trailer.subarray(4, 4 + DIGEST_BYTES);
  if (
    footer === undefined ||
    !sha256(footer).every((byte, i) => byte === digest[i])
  ) {
    throw damagedPack(backend, name, "its list of chunks is changed");
  }
  try {
    const frames = openBody(footer, cipher, name);
    decodeFrames(frames, size);
    return { id, size, frames };
  } catch (cause) {
    if (cause instanceof StorageError) throw cause; // this runtime cannot read it; nothing is wrong with the pack
    throw damagedPack(backend, name, "its list of chunks does not open", cause);
  }
}

/** @param state what is wrong with it, a clause */
export function damagedPack(
  store: { readonly location: string },
  name: string,
  state: string,
  cause?: unknown,
): IntegrityError {
  return new IntegrityError(`The snapshot store ${store.location} is damaged: ${name}: ${state}`, {
    hint: "Run `backout snapshot verify --read-data` to see which snapshots are whole; " +
      "put the file back from a copy of the store if there is one.",
    context: { store: store.location, file: name },
    ...(cause === undefined ? {} : { cause }),
  });
}
