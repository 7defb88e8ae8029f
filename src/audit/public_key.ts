/**
 * Public keys and checking what was signed with the private ones.
 */
import * as crypto from "node:crypto";
import { Buffer } from "node:buffer";
import { UsageError } from "#/core/errors.ts";
import { type KeyStructure, readPem, readSpki, writePem } from "./der.ts";

export type SignatureAlgorithm = "ed25519" | "rsa-pss-sha256";

/** Checks signatures of one public key. */
export interface Verifier {
  readonly algorithm: SignatureAlgorithm;
  readonly fingerprint: string;
  readonly publicKeyPem: string;
  /** False for anything but a valid signature. */
  verify(bytes: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

const MIN_RSA_BITS = 2048;
/** What RSA signatures are made and checked with: a salt as long as the digest, in bytes. */
export const PSS = { name: "RSA-PSS", saltLength: 32 } as const;
export const PSS_KEY = { name: "RSA-PSS", hash: "SHA-256" } as const;
const KEYGEN_HINT = "Make a key with `backout audit keygen --out KEYFILE`.";
const PUBLIC_KEY_HINT = "Make the public key with: openssl pkey -in KEYFILE -pubout -out KEYFILE.pub";

/**
 * Reads one public key: PEM, SPKI (also the older `RSA PUBLIC KEY`).
 * @param name what to call it in a message, e.g. its file
 * @throws {UsageError} when the text holds no public key that can be used
 */
export function loadVerifier(publicKeyPem: string, name = "the public key"): Verifier {
  const [first] = loadVerifiers(publicKeyPem, name);
  return first!;
}

/**
 * Reads all public keys of a text, for logs that were signed with one key after another.
 * @throws {UsageError} when the text holds none, or one that cannot be used
 */
export function loadVerifiers(publicKeysPem: string, name = "the public key"): readonly Verifier[] {
  const refuse = refusal("public", name);
  const blocks = readPem(publicKeysPem);
  if (blocks.length === 0) {
    throw refuse("it is not a PEM file", "Give the `.pub` file that `backout audit keygen` wrote.");
  }
  return blocks.map(({ label, bytes }) => {
    if (label === "PUBLIC KEY") return verifierOf(bytes, refuse);
    if (label !== "RSA PUBLIC KEY") {
      throw refuse(`it holds a ${label.toLowerCase()}, not a public key`, PUBLIC_KEY_HINT);
    }
    const pem = writePem(label, bytes);
    const key = attempt(() => crypto.createPublicKey(pem), refuse);
    return verifierOf(new Uint8Array(key.export({ type: "spki", format: "der" })), refuse);
  });
}

/**
 * True when `signature` is that of `bytes` under this key.
 * @throws {UsageError} when `publicKeyPem` is no public key that can be used
 */
export function verifySignature(
  publicKeyPem: string,
  bytes: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  return loadVerifier(publicKeyPem).verify(bytes, signature);
}

/** Makes the error for a key that cannot be used. */
export type Refusal = (why: string, hint?: string, cause?: unknown) => UsageError;

export function refusal(what: "private" | "public", name: string): Refusal {
  const use = what === "private" ? "to sign the audit log" : "as a public key";
  return (why, hint = KEYGEN_HINT, cause) =>
    new UsageError(`Cannot use ${name} ${use}: ${why}`, { hint, cause });
}

/** Runs a parser of key material; whatever it throws becomes one refusal. */
export function attempt<T>(read: () => T, refuse: Refusal): T {
  try {
    return read();
  } catch (error) {
    throw refuse("it does not hold a valid key", undefined, error);
  }
}

/** The structure of a key whose algorithm is supported. @throws {UsageError} */
export function structureOf(
  read: () => KeyStructure,
  refuse: Refusal,
): KeyStructure {
  const structure = attempt(read, refuse);
  if (structure.kind === undefined) {
    throw refuse("its algorithm is neither Ed25519 nor RSA", "Give an Ed25519 or RSA key. " + KEYGEN_HINT);
  }
  if (structure.restriction !== undefined) throw refuse(structure.restriction);
  return structure;
}

/** A verifier for a key object of `node:crypto`. @throws {UsageError} */
export function publicKeyOf(key: crypto.KeyObject, refuse: Refusal): Verifier {
  return verifierOf(new Uint8Array(key.export({ type: "spki", format: "der" })), refuse);
}

function verifierOf(spki: Uint8Array, refuse: Refusal): Verifier {
  const { der, kind } = structureOf(() => readSpki(spki), refuse);
  const key = attempt(
    () => crypto.createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" }),
    refuse,
  );
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (kind !== "ed25519" && (bits === undefined || bits < MIN_RSA_BITS)) {
    throw refuse(`it has ${bits ?? "an unknown number of"} bits, and RSA needs ${MIN_RSA_BITS} or more`);
  }
  return {
    algorithm: kind === "ed25519" ? "ed25519" : "rsa-pss-sha256",
    fingerprint: crypto.createHash("sha256").update(der).digest("hex"),
    publicKeyPem: writePem("PUBLIC KEY", der),
    verify: kind === "ed25519" ? (bytes, signature) => verifyEd25519(key, bytes, signature) : rsaVerify(der),
  };
}

// deno-lint-ignore require-await -- one shape for both algorithms
async function verifyEd25519(
  key: crypto.KeyObject,
  bytes: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (signature.length !== 64) return false;
  return crypto.verify(null, Buffer.from(bytes), key, Buffer.from(signature));
}

function rsaVerify(spki: Uint8Array): Verifier["verify"] {
  let imported: Promise<CryptoKey> | undefined;
  return async (bytes, signature) => {
    imported ??= globalThis.crypto.subtle.importKey("spki", new Uint8Array(spki), PSS_KEY, false, ["verify"]);
    const key = await imported;
    return await globalThis.crypto.subtle.verify(PSS, key, new Uint8Array(signature), new Uint8Array(bytes));
  };
}
