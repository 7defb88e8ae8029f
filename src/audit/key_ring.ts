/** The public keys that signatures of a log are checked with: those the caller trusts, and those kept beside the log. */
import { Buffer } from "node:buffer";
import { messageOf } from "#/core/errors.ts";
import type { ObjectReader } from "#/storage/object_store.ts";
import { type EntrySignature, publicKeyKey } from "./entry.ts";
import { loadVerifier, type Verifier } from "./sign.ts";

export type SignatureState =
  /** Valid, under a key that the caller gave. */
  | "trusted"
  /** Valid, under a key that is only kept beside the log. */
  | "known"
  | "bad"
  /** There is no usable key to check it with. */
  | "unchecked";

const MAX_KEY_BYTES = 64 * 1024;

/** The bytes, or what is wrong with the file. An error of the storage itself is thrown. */
export async function readFileOrProblem(
  store: Pick<ObjectReader, "read" | "stat">,
  key: string,
  maxBytes: number,
): Promise<Uint8Array | string> {
  try {
    return (await store.read(key, { maxBytes }))?.bytes ?? "is missing";
  } catch (error) {
    const stat = await store.stat(key);
    if (stat === undefined) return "is missing";
    if (stat.kind !== "file") return `is not a file but a ${stat.kind === "other" ? "device" : stat.kind}`;
    if (stat.size > maxBytes) return `is larger than ${maxBytes} bytes`;
    throw error;
  }
}

export class KeyRing {
  readonly #store: Pick<ObjectReader, "read" | "stat">;
  readonly #trusted: ReadonlyMap<string, Verifier>;
  readonly #kept = new Map<string, Promise<Verifier | string>>();
  readonly #unchecked = new Map<string, number>();

  constructor(store: Pick<ObjectReader, "read" | "stat">, trusted: readonly Verifier[]) {
    this.#store = store;
    this.#trusted = new Map(trusted.map((verifier) => [verifier.fingerprint, verifier]));
  }

  async check(bytes: Uint8Array, signature: EntrySignature): Promise<SignatureState> {
    const fingerprint = signature.public_key_fingerprint;
    const trusted = this.#trusted.get(fingerprint);
    const verifier = trusted ?? await this.#keptKey(fingerprint);
    if (typeof verifier === "string") {
      this.#unchecked.set(fingerprint, (this.#unchecked.get(fingerprint) ?? 0) + 1);
      return "unchecked";
    }
    if (verifier.algorithm !== signature.algorithm) return "bad";
    const value = Uint8Array.from(Buffer.from(signature.value, "base64"));
    if (Buffer.from(value).toString("base64") !== signature.value) return "bad";
    if (!await verifier.verify(bytes, value)) return "bad";
    return trusted === undefined ? "known" : "trusted";
  }

  /** One sentence for each key that could not be used. */
  async problems(): Promise<readonly string[]> {
    const sentences: string[] = [];
    for (const [fingerprint, count] of this.#unchecked) {
      const why = await this.#keptKey(fingerprint);
      const entries = count === 1 ? "The signature of 1 entry" : `The signatures of ${count} entries`;
      sentences.push(`${entries} cannot be checked: the key ${publicKeyKey(fingerprint)} ${why}`);
    }
    return sentences;
  }

  /** The key kept under this fingerprint, or why there is none. */
  #keptKey(fingerprint: string): Promise<Verifier | string> {
    const known = this.#kept.get(fingerprint);
    if (known !== undefined) return known;
    const loading = this.#load(fingerprint);
    this.#kept.set(fingerprint, loading);
    return loading;
  }

  async #load(fingerprint: string): Promise<Verifier | string> {
    const bytes = await readFileOrProblem(this.#store, publicKeyKey(fingerprint), MAX_KEY_BYTES);
    if (typeof bytes === "string") return bytes;
    try {
      const verifier = loadVerifier(new TextDecoder().decode(bytes));
      return verifier.fingerprint === fingerprint ? verifier : "is another key than its name says";
    } catch (error) {
      return `is damaged (${messageOf(error)})`;
    }
  }
}
