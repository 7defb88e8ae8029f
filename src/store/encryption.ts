/**
 * Whose key opens a store. The bytes are sealed with a random master key; that is kept in the store's configuration,
 * itself sealed with what the user has (a key file, or a passphrase by way of scrypt). So keys can be changed without
 * writing any content again.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, scryptSync } from "node:crypto";
import { IntegrityError, UsageError } from "#/core/errors.ts";
import type { JsonObject } from "#/core/json.ts";
import { AES_KIND, aesCipher, MASTER_KEY_BYTES } from "./aes_cipher.ts";
import { type ChunkCipher, type EncryptionDescriptor, PLAIN_CIPHER } from "./cipher.ts";
import type { StoreEncryption } from "./options.ts";
import { readUserKey, type UserKey } from "./user_key.ts";
import { parseWrapping, type ScryptParameters, type WrappedKey } from "./wrapped_key.ts";

export interface EncryptionContext {
  /** Reads a variable of the environment. */
  readonly env: (name: string) => string | undefined;
  /** As shown to people. */
  readonly location: string;
}

/** 32 MiB and about a quarter of a second: three passes make up for less memory (OWASP's second choice). */
const SCRYPT: ScryptParameters = { n: 2 ** 15, r: 8, p: 3 };
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HINT = "Name the key in backout.yaml: store: {location: …, encryption: {key_file: …}}.";

/**
 * The cipher of a new store; its `descriptor` belongs into the store's configuration.
 * @throws {UsageError} the key is missing, or is none
 */
export function createCipher(
  encryption: StoreEncryption | undefined,
  context: EncryptionContext,
): ChunkCipher {
  if (encryption === undefined) return PLAIN_CIPHER;
  const masterKey = new Uint8Array(randomBytes(MASTER_KEY_BYTES));
  return aesCipher(masterKey, descriptorFor(masterKey, readUserKey(encryption, context.env)));
}

/**
 * The cipher of a store that is there.
 * @param descriptor what its configuration says
 * @throws {UsageError} there is no key, or another one
 * @throws {IntegrityError} the configuration was tampered with, or is of a newer version
 */
export function openCipher(
  descriptor: EncryptionDescriptor,
  encryption: StoreEncryption | undefined,
  context: EncryptionContext,
): ChunkCipher {
  if (descriptor.kind === PLAIN_CIPHER.descriptor.kind) {
    if (encryption === undefined) return PLAIN_CIPHER;
    throw new UsageError(
      `The snapshot store ${context.location} is not encrypted, but a key was given for it`,
      {
        hint: "Give `store:` another location in backout.yaml, with the key, and copy the snapshots: " +
          `backout snapshot sync --from ${context.location}; ` +
          "or leave the key out, if you know that it should not be encrypted.",
      },
    );
  }
  if (encryption === undefined) {
    throw new UsageError(`The snapshot store ${context.location} is encrypted, and no key was given`, {
      hint: HINT,
    });
  }
  const masterKey = unwrap(descriptor, readUserKey(encryption, context.env), context.location);
  return aesCipher(masterKey, descriptor);
}

/**
 * The same store for another key of its user: the old one opens it no longer. Who had both the old key and the
 * configuration may still have the master key; only a new store helps against that.
 */
export function rewrap(
  descriptor: EncryptionDescriptor,
  from: StoreEncryption,
  to: StoreEncryption,
  context: EncryptionContext,
): EncryptionDescriptor {
  const cipher = openCipher(descriptor, from, context);
  return descriptorFor(cipher.material.key, readUserKey(to, context.env));
}

function descriptorFor(masterKey: Uint8Array, user: UserKey): EncryptionDescriptor {
  const salt = randomBytes(32);
  const kdf = user.kind === "raw"
    ? { kdf: "hkdf" as const, salt: salt.toString("hex") }
    : { kdf: "scrypt" as const, salt: salt.toString("hex"), ...SCRYPT };
  const wrapping = wrappingKey(user, { ...kdf, check: "", nonce: "", sealed: "" });
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(AES_KIND, wrapping, nonce);
  cipher.setAAD(boundTo(kdf));
  const body = cipher.update(masterKey);
  cipher.final();
  const sealed = new Uint8Array([...body, ...cipher.getAuthTag()]);
  const key: WrappedKey = {
    ...kdf,
    check: checkOf(wrapping),
    nonce: nonce.toString("hex"),
    sealed: sealed.toHex(),
  };
  return { kind: AES_KIND, key: { ...key } };
}

function unwrap(descriptor: EncryptionDescriptor, user: UserKey, location: string): Uint8Array<ArrayBuffer> {
  const wrapped = parseWrapping(descriptor, location);
  const isForPassphrase = wrapped.kdf === "scrypt";
  if (isForPassphrase !== (user.kind === "passphrase")) {
    throw new UsageError(
      `The snapshot store ${location} opens with a ${
        isForPassphrase ? "passphrase" : "key file"
      }, not with a ${isForPassphrase ? "key file" : "passphrase"}`,
      { hint: HINT },
    );
  }
  const wrapping = wrappingKey(user, wrapped);
  if (checkOf(wrapping) !== wrapped.check) {
    throw new UsageError(`The key from ${user.from} is not the key of the snapshot store ${location}`, {
      hint: isForPassphrase
        ? "Check the passphrase; nothing was read or changed."
        : "Check which key file belongs to this store; nothing was read or changed.",
    });
  }
  const sealed = Uint8Array.fromHex(wrapped.sealed);
  try {
    const decipher = createDecipheriv(AES_KIND, wrapping, Uint8Array.fromHex(wrapped.nonce));
    decipher.setAAD(boundTo(wrapped));
    decipher.setAuthTag(sealed.slice(sealed.length - TAG_BYTES));
    const masterKey = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
    decipher.final();
    return new Uint8Array(masterKey);
  } catch (cause) {
    throw new IntegrityError(
      `The configuration of the snapshot store ${location} was tampered with: its key does not open`,
      {
        hint:
          "Put back config.json of the store from a copy; every copy since the last change of the key will do.",
        cause,
      },
    );
  }
}

/** What the master key is sealed with. */
function wrappingKey(user: UserKey, wrapped: WrappedKey): Uint8Array {
  const salt = Uint8Array.fromHex(wrapped.salt);
  if (user.kind === "raw") {
    return new Uint8Array(hkdfSync("sha256", user.key, salt, "backout store: user key", 32));
  }
  const { n: N = 0, r = 0, p = 0 } = wrapped;
  return scryptSync(user.passphrase, salt, 32, { N, r, p, maxmem: 256 * N * r });
}

/** Tells a wrong key from a damaged one, and says nothing of either. */
function checkOf(wrapping: Uint8Array): string {
  return createHmac("sha256", wrapping).update("backout store: check").digest("hex").slice(0, 16);
}

function boundTo(parameters: Pick<WrappedKey, "kdf" | "salt"> & Partial<ScryptParameters>): Uint8Array {
  const { kdf, salt, n = 0, r = 0, p = 0 } = parameters;
  const bound: JsonObject = { kdf, salt, n, r, p };
  return new TextEncoder().encode(JSON.stringify(bound));
}
