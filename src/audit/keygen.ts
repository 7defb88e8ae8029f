/** Making a key pair. */
import * as crypto from "node:crypto";
import * as path from "node:path";
import { messageOf, UsageError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import { publicKeyOf, refusal } from "./public_key.ts";

/** The files that `generateKey` wrote. */
export interface GeneratedKey {
  readonly private_key: string;
  readonly public_key: string;
  readonly fingerprint: string;
}

const NEW_RSA_BITS = 3072;

/**
 * Makes a key pair: `out` (mode 0600) and `out.pub`. Nothing is ever overwritten.
 * @throws {UsageError} when a file exists already or cannot be written
 */
export async function generateKey(
  options: { readonly out: string; readonly type?: "ed25519" | "rsa" },
): Promise<GeneratedKey> {
  const privateFile = path.resolve(options.out);
  const publicFile = privateFile + ".pub";
  for (const file of [privateFile, publicFile]) {
    if (posix.lstat(file) !== undefined) throw alreadyThere(file);
  }
  const { privateKey, publicKey } = await newKeyPair(options.type ?? "ed25519");
  const verifier = publicKeyOf(publicKey, refusal("public", publicFile));
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  writeKeyPair(privateFile, pem, publicFile, verifier.publicKeyPem);
  return { private_key: privateFile, public_key: publicFile, fingerprint: verifier.fingerprint };
}

function newKeyPair(
  type: "ed25519" | "rsa",
): Promise<{ privateKey: crypto.KeyObject; publicKey: crypto.KeyObject }> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, publicKey: crypto.KeyObject, privateKey: crypto.KeyObject) =>
      error === null || error === undefined ? resolve({ privateKey, publicKey }) : reject(error);
    if (type === "ed25519") crypto.generateKeyPair("ed25519", undefined, done);
    else crypto.generateKeyPair("rsa", { modulusLength: NEW_RSA_BITS }, done);
  });
}

function writeKeyPair(privateFile: string, privatePem: string, publicFile: string, publicPem: string): void {
  const encoder = new TextEncoder();
  writeKey(privateFile, encoder.encode(privatePem), 0o600);
  try {
    writeKey(publicFile, encoder.encode(publicPem), 0o644);
    posix.syncFolder(path.dirname(privateFile));
  } catch (error) {
    posix.unlink(privateFile); // ours: it was created exclusively, and half a pair is of no use
    throw error;
  }
}

function writeKey(file: string, bytes: Uint8Array, mode: number): void {
  try {
    posix.writeNewFile(file, bytes, mode);
  } catch (error) {
    if (posix.errorCode(error) === "EEXIST") throw alreadyThere(file, error);
    if (posix.lstat(file) !== undefined) posix.unlink(file); // half written by us, e.g. on a full disk
    throw new UsageError(`Cannot write the key file ${file}: ${messageOf(error)}`, {
      hint: "Give --out a path in a folder that exists and that you may write to.",
      cause: error,
    });
  }
}

function alreadyThere(file: string, cause?: unknown): UsageError {
  return new UsageError(`Cannot write the key file ${file}: it exists already`, {
    hint: "Give --out another name; a key that signed audit entries must not be lost.",
    cause,
  });
}
