/** Makes a cipher from its material, in any thread. */
import { AES_KIND, aesCipher } from "./aes_cipher.ts";
import { type ChunkCipher, type CipherMaterial, PLAIN_CIPHER } from "./cipher.ts";

/** @throws {Error} a kind that this version does not have */
export function cipherFrom(material: CipherMaterial): ChunkCipher {
  if (material.kind === PLAIN_CIPHER.material.kind) return PLAIN_CIPHER;
  if (material.kind === AES_KIND) return aesCipher(material.key);
  throw new Error(`There is no cipher ${JSON.stringify(material.kind)}`);
}
