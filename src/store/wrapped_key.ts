/** The part of a store's configuration that holds its master key, sealed. */
import * as z from "zod";
import { IntegrityError } from "#/core/errors.ts";
import { AES_KIND } from "./aes_cipher.ts";
import type { EncryptionDescriptor } from "./cipher.ts";

export interface ScryptParameters {
  /** Cost, a power of two. */
  readonly n: number;
  readonly r: number;
  readonly p: number;
}

export interface WrappedKey extends Partial<ScryptParameters> {
  /** `hkdf` of a key file, `scrypt` of a passphrase. */
  readonly kdf: "hkdf" | "scrypt";
  /** Hex, as all that follows. */
  readonly salt: string;
  /** Equal for the right key only. */
  readonly check: string;
  readonly nonce: string;
  /** The master key and its tag. */
  readonly sealed: string;
}

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`));
const sealedParts = () => ({ salt: hex(32), check: hex(8), nonce: hex(12), sealed: hex(48) });

/** Limits keep a tampered configuration from taking all memory. Made where it is needed: few stores are encrypted. */
const wrappedKey = () =>
  z.discriminatedUnion("kdf", [
    z.strictObject({ kdf: z.literal("hkdf"), ...sealedParts() }),
    z.strictObject({
      kdf: z.literal("scrypt"),
      ...sealedParts(),
      n: z.number().int().min(2 ** 14).max(2 ** 18).refine((n) => Math.log2(n) % 1 === 0),
      r: z.number().int().min(8).max(16),
      p: z.number().int().min(1).max(8),
    }),
  ]);

/** @throws {IntegrityError} it is of another form */
export function parseWrapping(descriptor: EncryptionDescriptor, location: string): WrappedKey {
  if (descriptor.kind !== AES_KIND) {
    throw new IntegrityError(
      `The snapshot store ${location} is encrypted in a way that this version does not know`,
      { hint: "Use a newer version of backout.", context: { kind: String(descriptor.kind) } },
    );
  }
  const parsed = wrappedKey().safeParse(descriptor.key);
  if (parsed.success) return parsed.data;
  throw new IntegrityError(`The configuration of the snapshot store ${location} has no usable key`, {
    hint: "Put back config.json of the store from a copy.",
    cause: parsed.error,
  });
}
