/** Makes a cipher from what another thread sends, and uses it. */
import type { CipherMaterial } from "#/store/cipher.ts";
import { cipherFrom } from "#/store/cipher_from.ts";

const scope = self as unknown as {
  onmessage: ((event: MessageEvent<{ material: CipherMaterial; sha256: Uint8Array }>) => void) | null;
  postMessage(message: unknown): void;
};

scope.onmessage = ({ data: { material, sha256 } }) => {
  const cipher = cipherFrom(material);
  scope.postMessage({
    id: new Uint8Array(cipher.id(sha256)),
    sealed: new Uint8Array(cipher.seal(sha256, "frame")),
  });
};
