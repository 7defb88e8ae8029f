/** Takes finished packs into the store while others are being written: durable, and under their names. */
import type { StoreBackend } from "./backend.ts";
import type { PackIndex } from "./index_format.ts";
import { packName } from "./layout.ts";
import type { FinishedPack } from "./pack_writer.ts";

/** Packs that may wait in the scratch folder until they are taken in. */
const MAX_WAITING = 4;

export class PackIntake {
  readonly #backend: StoreBackend;
  readonly #packs: PackIndex[] = [];
  readonly #waiting = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(backend: StoreBackend) {
    this.#backend = backend;
  }

  take(pack: FinishedPack): void {
    const done: Promise<void> = this.#adopt(pack).finally(() => this.#waiting.delete(done));
    this.#waiting.add(done);
  }

  /** Waits while too many packs are on their way. @throws what went wrong with one */
  async room(): Promise<void> {
    while (this.#waiting.size > MAX_WAITING) await Promise.race(this.#waiting);
    this.#throwFailure();
  }

  /** All packs, which are durable now. */
  async drain(): Promise<readonly PackIndex[]> {
    await this.settled();
    this.#throwFailure();
    return this.#packs;
  }

  /** Waits until nothing is on its way, whatever became of it. */
  async settled(): Promise<void> {
    while (this.#waiting.size > 0) await Promise.all(this.#waiting);
  }

  async #adopt({ id, size, frames, path }: FinishedPack): Promise<void> {
    try {
      await this.#backend.adopt(packName(id), path);
      this.#packs.push({ id, size, frames });
    } catch (error) {
      this.#failure ??= { error };
    }
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
