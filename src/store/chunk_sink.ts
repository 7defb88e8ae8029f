/** Chunks whose ids are known already, gathered into new packs: for what moves chunks instead of cutting files. */
import type { StoreBackend } from "./backend.ts";
import type { ChunkCipher } from "./cipher.ts";
import { writeIndex } from "./index_file.ts";
import type { PackIndex } from "./index_format.ts";
import { packName } from "./layout.ts";
import { type FinishedPack, PackWriter } from "./pack_writer.ts";

export class ChunkSink {
  readonly #backend: StoreBackend;
  readonly #cipher: ChunkCipher;
  readonly #level: number;
  readonly #writer: PackWriter;
  readonly #finished: FinishedPack[] = [];
  readonly #adopted: PackIndex[] = [];
  #bytes = 0;

  private constructor(backend: StoreBackend, cipher: ChunkCipher, level: number, scratch: string) {
    this.#backend = backend;
    this.#cipher = cipher;
    this.#level = level;
    this.#writer = new PackWriter({
      ...{ scratch, prefix: "sink-", cipher, level },
      onPack: (pack) => void this.#finished.push(pack),
    });
  }

  static async open(backend: StoreBackend, cipher: ChunkCipher, level: number): Promise<ChunkSink> {
    return new ChunkSink(backend, cipher, level, await backend.scratch());
  }

  /** Bytes of the packs that are durable. */
  get storedBytes(): number {
    return this.#bytes;
  }

  /** The bytes are copied or written before it returns. */
  async add(bytes: Uint8Array, id: Uint8Array): Promise<void> {
    this.#writer.add(bytes, id);
    await this.#adopt();
  }

  /** Makes everything durable; the index comes last. @returns the new packs */
  async finish(): Promise<readonly PackIndex[]> {
    this.#writer.finish();
    await this.#adopt();
    if (this.#adopted.length > 0) {
      await writeIndex(this.#backend, this.#adopted, this.#cipher, this.#level);
    }
    return this.#adopted;
  }

  /** Gives up; packs that are durable already are left to the collection. */
  abort(): void {
    this.#writer.abort();
  }

  async #adopt(): Promise<void> {
    for (let pack = this.#finished.shift(); pack !== undefined; pack = this.#finished.shift()) {
      const { id, size, frames, path } = pack;
      await this.#backend.adopt(packName(id), path);
      this.#adopted.push({ id, size, frames });
      this.#bytes += size;
    }
  }
}
