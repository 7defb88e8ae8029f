/** All that the indexes of a store say, read once and kept; what others add later is read when it is asked for. */
import type { StoreBackend } from "./backend.ts";
import { ChunkIndex, type ChunkPlace } from "./chunk_index.ts";
import type { ChunkCipher } from "./cipher.ts";
import type { SharedIdTable } from "./id_table.ts";
import { damagedIndex, type FinishedIndex, listIndexes, readIndex } from "./index_file.ts";
import type { PackIndex } from "./index_format.ts";
import { PACK_FOLDER, packName } from "./layout.ts";

/** More parts than this are read anew as one. */
const MAX_PARTS = 12;
/** Indexes that are read at the same time. */
const AT_ONCE = 8;

export class StoreIndex {
  readonly #backend: StoreBackend;
  readonly #cipher: ChunkCipher;
  readonly #loaded = new Set<string>();
  #parts: ChunkIndex[] = [];
  /** Of packs that are missing or torn: to name them when somebody asks for what was there. */
  #lost: ChunkIndex[] = [];
  /** Of `packs`, made when somebody asks. */
  #packIds: Set<string> | undefined;
  #refreshing: Promise<void> | undefined;

  constructor(backend: StoreBackend, cipher: ChunkCipher) {
    this.#backend = backend;
    this.#cipher = cipher;
  }

  /** For other threads. */
  get tables(): readonly SharedIdTable[] {
    return this.#parts.map((part) => part.table.shared);
  }

  /** The packs that are named; their frames are not kept. */
  get packs(): readonly PackIndex[] {
    return this.#parts.flatMap((part) => part.packs);
  }

  find(id: Uint8Array): ChunkPlace | undefined {
    return findIn(this.#parts, id);
  }

  /** The pack with a chunk, by its id. */
  packOf(id: Uint8Array): string | undefined {
    return this.find(id)?.pack.id;
  }

  hasPack(id: string): boolean {
    this.#packIds ??= new Set(this.packs.map((pack) => pack.id));
    return this.#packIds.has(id);
  }

  /** Where a chunk was, in a pack that is missing or torn now. */
  findLost(id: Uint8Array): ChunkPlace | undefined {
    return findIn(this.#lost, id);
  }

  /** Brings it to what is in the store now. @throws {IntegrityError} an index is damaged */
  async refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => this.#refreshing = undefined);
    await this.#refreshing;
  }

  /** Adds what this process has just written. */
  add(index: FinishedIndex): void {
    if (this.#loaded.has(index.name)) return;
    this.#loaded.add(index.name);
    this.#packIds = undefined;
    this.#parts.push(this.#partOf([index], () => true));
  }

  async #refresh(): Promise<void> {
    const names = await listIndexes(this.#backend);
    // After the indexes: a pack is there before the index that names it.
    const sizes = await this.#packSizes();
    const isWhole = (pack: PackIndex) => sizes.get(packName(pack.id)) === pack.size;
    const there = new Set(names);
    const fresh = names.filter((name) => !this.#loaded.has(name));
    const all = this.#parts.length >= MAX_PARTS || [...this.#loaded].some((name) => !there.has(name)) ||
      !this.packs.every(isWhole) || this.#lost.some((part) => part.packs.some(isWhole));
    if (!all && fresh.length === 0) return;
    const indexes = await this.#read(all ? names : fresh);
    const part = this.#partOf(indexes, isWhole);
    const lost = this.#partOf(indexes, (pack) => !isWhole(pack));
    this.#packIds = undefined;
    if (all) {
      this.#loaded.clear();
      this.#parts = [];
      this.#lost = [];
    }
    for (const { name } of indexes) this.#loaded.add(name);
    this.#parts.push(part);
    if (lost.packs.length > 0) this.#lost.push(lost);
  }

  async #packSizes(): Promise<ReadonlyMap<string, number>> {
    const sizes = new Map<string, number>();
    for await (const { name, size } of this.#backend.list(PACK_FOLDER)) sizes.set(name, size);
    return sizes;
  }

  async #read(names: readonly string[]): Promise<FinishedIndex[]> {
    const indexes: FinishedIndex[] = [];
    for (let at = 0; at < names.length; at += AT_ONCE) {
      const some = names.slice(at, at + AT_ONCE);
      const read = await Promise.all(some.map((name) => readIndex(this.#backend, name, this.#cipher)));
      indexes.push(...read.filter((index) => index !== undefined));
    }
    return indexes;
  }

  #partOf(indexes: readonly FinishedIndex[], isWanted: (pack: PackIndex) => boolean): ChunkIndex {
    const wanted = indexes.map(({ name, packs }) => ({ name, packs: packs.filter(isWanted) }));
    return new ChunkIndex(wanted, (index, cause) => {
      throw damagedIndex(this.#backend, index.name, "what it says does not fit together", cause);
    });
  }
}

function findIn(parts: readonly ChunkIndex[], id: Uint8Array): ChunkPlace | undefined {
  for (const part of parts) {
    const place = part.find(id);
    if (place !== undefined) return place;
  }
  return undefined;
}
