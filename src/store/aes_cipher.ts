/**
 * The cipher of an encrypted store: AES-256-GCM for bytes, HMAC-SHA-256 for the ids of chunks. Two keys, derived from
 * the store's master key, so that neither use says anything of the other. Runs in any thread.
 *
 * Sealed bytes: a version, a fresh nonce, the ciphertext, the tag. Nonces are random: by NIST SP 800-38D that is sound
 * for 2^32 frames of one key, which are petabytes. What a sealed thing is (`frame`, or the name of its file) is
 * authenticated with it, so that no file opens in the place of another; that a frame has the chunks it should have is
 * checked by their keyed ids.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from "node:crypto";
import { type ChunkCipher, type EncryptionDescriptor, SealError } from "./cipher.ts";

export const AES_KIND = "aes-256-gcm";
export const MASTER_KEY_BYTES = 32;

const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + NONCE_BYTES;

/** @param descriptor what the store's configuration says; another thread needs nothing of it */
export function aesCipher(
  masterKey: Uint8Array<ArrayBuffer>,
  descriptor: EncryptionDescriptor = { kind: AES_KIND },
): ChunkCipher {
  if (masterKey.length !== MASTER_KEY_BYTES) throw new Error("A master key has 32 bytes");
  const sealKey = derive(masterKey, "backout store: bytes");
  const idKey = derive(masterKey, "backout store: chunk ids");
  return {
    descriptor,
    material: { kind: AES_KIND, key: masterKey },
    id: (sha256) => createHmac("sha256", idKey).update(sha256).digest(),
    seal: (bytes, context = "") => seal(sealKey, bytes, context),
    open: (sealed, context = "") => open(sealKey, sealed, context),
  };
}

function seal(key: Uint8Array, bytes: Uint8Array, context: string): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(AES_KIND, key, nonce);
  cipher.setAAD(authenticated(context));
  const sealed = new Uint8Array(HEADER_BYTES + bytes.length + TAG_BYTES);
  sealed[0] = VERSION;
  sealed.set(nonce, 1);
  sealed.set(cipher.update(bytes), HEADER_BYTES);
  cipher.final();
  sealed.set(cipher.getAuthTag(), HEADER_BYTES + bytes.length);
  return sealed;
}

function open(key: Uint8Array, sealed: Uint8Array, context: string): Uint8Array {
  if (sealed.length < HEADER_BYTES + TAG_BYTES) throw new SealError("too short for sealed bytes");
  if (sealed[0] !== VERSION) throw new SealError(`sealed in a way (${sealed[0]}) that is not known here`);
  const end = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv(AES_KIND, key, sealed.subarray(1, HEADER_BYTES));
  decipher.setAAD(authenticated(context));
  decipher.setAuthTag(sealed.slice(end));
  const bytes = decipher.update(sealed.subarray(HEADER_BYTES, end));
  try {
    decipher.final(); // before it nothing of the bytes may be believed
  } catch (cause) {
    throw new SealError("the bytes were changed, or sealed with another key", { cause });
  }
  return bytes;
}

function authenticated(context: string): Uint8Array {
  return new TextEncoder().encode(`${VERSION} ${context}`);
}

function derive(masterKey: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", masterKey, new Uint8Array(0), purpose, 32));
}
