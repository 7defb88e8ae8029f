/** The key of a store's user: 32 bytes in a file, or a passphrase. Read by reference, and never shown. */
import { StorageError, UsageError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import { attempt, lookAt } from "#/core/system_error.ts";
import type { StoreEncryption } from "./options.ts";

export type UserKey =
  | { readonly kind: "raw"; readonly key: Uint8Array<ArrayBuffer>; readonly from: string }
  | { readonly kind: "passphrase"; readonly passphrase: string; readonly from: string };

export const USER_KEY_BYTES = 32;

/** Reading by everybody, writing by anybody else. */
const TOO_OPEN = 0o027;
const MAX_FILE_BYTES = 4096;
const HEX_KEY = /^[0-9a-fA-F]{64}$/;
const BASE64_KEY = /^[A-Za-z0-9+/_-]{43}=?$/;

/**
 * @param env reads a variable of the environment
 * @throws {UsageError} there is none, or it cannot be a key
 * @throws {StorageError} its file cannot be read, or everybody may read it
 */
export function readUserKey(
  encryption: StoreEncryption,
  env: (name: string) => string | undefined,
): UserKey {
  if ("keyFile" in encryption) return rawKey(encryption.keyFile);
  if ("passphraseFile" in encryption) {
    const from = encryption.passphraseFile;
    const text = new TextDecoder().decode(readSecret(from, "passphrase"));
    return { kind: "passphrase", passphrase: usable(text.replace(/\r?\n$/, ""), from), from };
  }
  const from = `the variable ${encryption.passphraseEnv}`;
  const passphrase = env(encryption.passphraseEnv);
  if (passphrase === undefined) {
    throw new UsageError(`Cannot open the snapshot store: ${from} is not set`, {
      hint: `Set ${encryption.passphraseEnv} to the store's passphrase, or name a file with it.`,
    });
  }
  return { kind: "passphrase", passphrase: usable(passphrase, from), from };
}

/**
 * Makes a new key file (32 random bytes in base64, mode 0600). Keep a copy elsewhere: without it no snapshot of the
 * store can be read.
 * @throws {UsageError} something is there already, or its folder is not
 */
export function generateKeyFile(path: string): void {
  if (lookAt(path) !== undefined) {
    throw new UsageError(`Cannot write a new key to ${path}: something is there already`, {
      hint: "Give another name: a key that is lost cannot be made again.",
    });
  }
  const folder = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) || "/" : ".";
  if (lookAt(folder) === undefined) {
    throw new UsageError(`Cannot write a new key to ${path}: there is no folder ${folder}`, {
      hint: "Make it first, closed to others: mkdir -p -m 700.",
    });
  }
  const text = `${crypto.getRandomValues(new Uint8Array(USER_KEY_BYTES)).toBase64()}\n`;
  attempt("write the new key", path, () => {
    posix.writeNewFile(path, new TextEncoder().encode(text), 0o600);
    posix.syncFolder(folder);
  });
}

function rawKey(path: string): UserKey {
  const bytes = readSecret(path, "key");
  if (bytes.length === USER_KEY_BYTES) return { kind: "raw", key: new Uint8Array(bytes), from: path };
  const text = new TextDecoder().decode(bytes).trim();
  if (HEX_KEY.test(text)) return { kind: "raw", key: Uint8Array.fromHex(text), from: path };
  if (BASE64_KEY.test(text)) {
    const alphabet = /[-_]/.test(text) ? "base64url" : "base64";
    const key = decoded(text, alphabet);
    if (key?.length === USER_KEY_BYTES) return { kind: "raw", key, from: path };
  }
  throw new UsageError(`Cannot use ${path} as the key of a snapshot store: it does not hold 32 bytes`, {
    hint:
      "A key file has 32 random bytes: raw, in base64 or in hex. `backout snapshot keygen --out FILE` makes one.",
  });
}

function decoded(text: string, alphabet: "base64" | "base64url"): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.fromBase64(text, { alphabet });
  } catch {
    return undefined; // the caller says what is wrong with it
  }
}

function readSecret(path: string, what: string): Uint8Array {
  const problem = (state: string, hint: string) =>
    new StorageError(`Cannot read the store's ${what} from ${path}: ${state}`, { hint });
  return attempt(`read the store's ${what} from`, path, () => {
    using file = Deno.openSync(path, { read: true });
    const info = file.statSync();
    if (!info.isFile) throw problem("it is not a file", `Name a file that holds the ${what}.`);
    if (info.mode !== null && (info.mode & TOO_OPEN) !== 0) {
      throw problem("other users may read or change it", `Take that away: chmod 600 ${path}`);
    }
    if (info.size > MAX_FILE_BYTES) {
      throw problem("it is too large", `Name a file that holds only the ${what}.`);
    }
    const bytes = new Uint8Array(MAX_FILE_BYTES);
    let size = 0;
    for (let got = file.readSync(bytes); got !== null && got > 0; got = file.readSync(bytes.subarray(size))) {
      size += got;
      if (size === bytes.length) break;
    }
    return bytes.slice(0, size);
  });
}

function usable(passphrase: string, from: string): string {
  if (passphrase !== "") return passphrase.normalize("NFC");
  throw new UsageError(`Cannot use ${from} as the passphrase of a snapshot store: it is empty`, {
    hint: "Write a passphrase there.",
  });
}
