/** Finding out whether a server honours the conditions of writes: some ignore them, and some refuse them all. */
import { type BucketAccess, isPrecondition } from "./access.ts";
import type { BucketObject, WriteCondition } from "./bucket.ts";
import { BucketError } from "./bucket_error.ts";
import { scratchKeyOf } from "./stage.ts";

/** `ObjectStore.probeConditions`: with an object of its own, that is gone afterwards. */
export async function probeConditions(access: BucketAccess, operation?: string): Promise<boolean> {
  const name = `probe-${crypto.randomUUID()}`;
  const probe = new Probe(
    access,
    operation === undefined ? `.backout/${name}` : scratchKeyOf(operation, name),
  );
  try {
    return await probe.run();
  } finally {
    await probe.clean();
  }
}

class Probe {
  readonly #access: BucketAccess;
  readonly #key: string;

  constructor(access: BucketAccess, key: string) {
    this.#access = access;
    this.#key = key;
  }

  async run(): Promise<boolean> {
    const first = await this.#put("1", { absent: true });
    if (first === undefined) return false;
    if (await this.#isTaken("2", { absent: true }, "1")) return false;
    const second = await this.#put("3", { tag: first.tag });
    if (second === undefined || second.tag === first.tag) return false;
    return !await this.#isTaken("4", { tag: first.tag }, "3");
  }

  async clean(): Promise<void> {
    await this.#access.bucket.remove([{ key: this.#key }]);
  }

  /** Undefined when the server refuses a write whose condition holds, or does not know conditions. */
  async #put(text: string, condition: WriteCondition): Promise<BucketObject | undefined> {
    try {
      return await this.#access.bucket.put(this.#key, new TextEncoder().encode(text), { condition });
    } catch (error) {
      if (isPrecondition(error)) return undefined;
      if (error instanceof BucketError && error.failure === "unsupported") return undefined;
      throw error;
    }
  }

  /** Whether a write whose condition does not hold changed the object; a server may refuse it in an odd way. */
  async #isTaken(text: string, condition: WriteCondition, before: string): Promise<boolean> {
    try {
      if (await this.#put(text, condition) !== undefined) return true;
      return false;
    } catch (error) {
      if (!(error instanceof BucketError) || !error.isUnknown) throw error;
      const now = await this.#access.bucket.get(this.#key, { maxBytes: 16 });
      return now === undefined || new TextDecoder().decode(now.bytes) !== before;
    }
  }
}
