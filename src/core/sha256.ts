/** SHA-256 of what is in memory already; files are hashed by `digest.ts`. */
import { createHash } from "node:crypto";

/** The 32 bytes themselves. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

/** Lower-case hex; a text counts as its UTF-8. */
export function sha256Hex(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}
