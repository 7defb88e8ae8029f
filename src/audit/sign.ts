/**
 * Signing and checking with a person's own key: Ed25519, or RSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of
 * 32 bytes. Both can be checked with the `openssl` program and the public key alone.
 */
import * as crypto from "node:crypto";
import { Buffer } from "node:buffer";
import { messageOf } from "#/core/errors.ts";
import { readPem, readPkcs8, writePem } from "./der.ts";
import {
  attempt,
  PSS,
  PSS_KEY,
  publicKeyOf,
  type Refusal,
  refusal,
  type SignatureAlgorithm,
  structureOf,
} from "./public_key.ts";

export { type GeneratedKey, generateKey } from "./keygen.ts";
export {
  loadVerifier,
  loadVerifiers,
  type SignatureAlgorithm,
  type Verifier,
  verifySignature,
} from "./public_key.ts";

/** Signs with one private key. */
export interface Signer {
  readonly algorithm: SignatureAlgorithm;
  /** SHA-256 of the public key's DER (SPKI), lower-case hex. */
  readonly fingerprint: string;
  readonly publicKeyPem: string;
  /** What a person should know about the key file, e.g. that others can read it. */
  readonly warnings: readonly string[];
  /** The raw signature: 64 bytes for Ed25519, as long as the modulus for RSA. */
  sign(bytes: Uint8Array): Promise<Uint8Array>;
}

const MAX_KEY_FILE_BYTES = 64 * 1024;

/**
 * Reads a private key: PEM, PKCS#8 (also the older `RSA PRIVATE KEY`), not encrypted.
 * @throws {UsageError} when the file cannot be read, or holds no key that can be used
 */
export function loadSigner(file: string): Signer {
  const refuse = refusal("private", file);
  const der = privateKeyDer(readKeyFile(file, refuse), file, refuse);
  const structure = structureOf(() => readPkcs8(der), refuse);
  const key = attempt(
    () => crypto.createPrivateKey({ key: Buffer.from(structure.der), format: "der", type: "pkcs8" }),
    refuse,
  );
  const { algorithm, fingerprint, publicKeyPem } = publicKeyOf(
    crypto.createPublicKey(key as unknown as crypto.KeyLike),
    refuse,
  );
  return {
    algorithm,
    fingerprint,
    publicKeyPem,
    warnings: keyFileWarnings(file),
    sign: structure.kind === "ed25519" ? (bytes) => signEd25519(key, bytes) : rsaSign(structure.der),
  };
}

function readKeyFile(file: string, refuse: Refusal): string {
  try {
    using handle = Deno.openSync(file);
    const buffer = new Uint8Array(MAX_KEY_FILE_BYTES);
    let length = 0;
    for (let read = handle.readSync(buffer); read; read = handle.readSync(buffer.subarray(length))) {
      length += read;
    }
    return new TextDecoder().decode(buffer.subarray(0, length));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw refuse("there is no such file", undefined, error);
    throw refuse(
      `it cannot be read (${messageOf(error)})`,
      "Check its permissions and that it is a file.",
      error,
    );
  }
}

function privateKeyDer(text: string, file: string, refuse: Refusal): Uint8Array {
  const block = readPem(text).find(({ label }) => label.endsWith("PRIVATE KEY"));
  if (block === undefined) {
    const isPublic = text.includes("PUBLIC KEY-----");
    throw refuse(
      isPublic
        ? "it holds a public key; signing needs the private one"
        : "it holds no private key in PEM form",
    );
  }
  if (block.encrypted || block.label === "ENCRYPTED PRIVATE KEY") {
    throw refuse(
      "it is encrypted, and backout asks for no passphrase",
      `Give a key without one, readable only by its owner: openssl pkey -in ${file} -out KEYFILE && chmod 600 KEYFILE`,
    );
  }
  if (block.label === "PRIVATE KEY") return block.bytes;
  if (block.label === "RSA PRIVATE KEY") {
    const key = attempt(() => crypto.createPrivateKey(writePem(block.label, block.bytes)), refuse);
    return new Uint8Array(key.export({ type: "pkcs8", format: "der" }));
  }
  throw refuse(
    `it is a key of the form "${block.label.toLowerCase()}"`,
    "Give an Ed25519 or RSA key in PKCS#8 form, or make one with `backout audit keygen --out KEYFILE`.",
  );
}

// deno-lint-ignore require-await -- one shape for both algorithms
async function signEd25519(key: crypto.KeyObject, bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(crypto.sign(null, Buffer.from(bytes), key));
}

/** By WebCrypto, because `node:crypto` of older runtimes ignores the PSS padding and signs with PKCS#1 instead. */
function rsaSign(pkcs8: Uint8Array): Signer["sign"] {
  let imported: Promise<CryptoKey> | undefined;
  return async (bytes) => {
    imported ??= globalThis.crypto.subtle.importKey("pkcs8", new Uint8Array(pkcs8), PSS_KEY, false, ["sign"]);
    return new Uint8Array(await globalThis.crypto.subtle.sign(PSS, await imported, new Uint8Array(bytes)));
  };
}

function keyFileWarnings(file: string): readonly string[] {
  const { mode, isFile } = Deno.statSync(file);
  if (!isFile || mode === null || (mode & 0o066) === 0) return [];
  const octal = (mode & 0o777).toString(8).padStart(4, "0");
  return [`Other users can read or change the signing key ${file} (mode ${octal}): run chmod 600 ${file}`];
}
