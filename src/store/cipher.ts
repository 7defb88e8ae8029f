/**
 * How a store names chunks and what it does to bytes before they lie on the disk. A store is plain, or encrypted with a
 * key that only its users have.
 */
import type { JsonObject } from "#/core/json.ts";

/** What `config.json` says of it. Never the key itself. */
export interface EncryptionDescriptor extends JsonObject {
  /** `none`, or the name of the cipher. */
  readonly kind: string;
}

/** What another thread of this process needs to make the same cipher: passes through `postMessage`. Never stored. */
export interface CipherMaterial {
  readonly kind: string;
  /** Of the length that the cipher wants; empty for `none`. */
  readonly key: Uint8Array<ArrayBuffer>;
}

export interface ChunkCipher {
  readonly descriptor: EncryptionDescriptor;
  readonly material: CipherMaterial;
  /**
   * The id of a chunk, 32 bytes, from the SHA-256 of its bytes: in a plain store that digest itself, in an encrypted one
   * an HMAC of it.
   */
  id(sha256: Uint8Array): Uint8Array;
  /**
   * What is stored of a frame, an index or a manifest. May return its argument.
   * @param context what it is: `frame`, or the name of its file; it opens with the same one only
   */
  seal(bytes: Uint8Array, context?: string): Uint8Array;
  /**
   * The opposite. May return its argument.
   * @throws {SealError} the bytes were changed, or sealed with another key
   */
  open(sealed: Uint8Array, context?: string): Uint8Array;
}

/** What was sealed does not open. The caller knows which file it is, and says so. */
export class SealError extends Error {}

/** Of a store that is not encrypted. */
export const PLAIN_CIPHER: ChunkCipher = {
  descriptor: { kind: "none" },
  material: { kind: "none", key: new Uint8Array(0) },
  id: (sha256) => sha256,
  seal: (bytes) => bytes,
  open: (sealed) => sealed,
};
