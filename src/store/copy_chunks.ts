/** Copies the chunks of snapshots into another store, in the order in which they lie in the packs. */
import { throwIfStopped } from "#/core/pace.ts";
import { sha256 } from "#/core/sha256.ts";
import type { ChunkPlace } from "./chunk_index.ts";
import { ChunkSink } from "./chunk_sink.ts";
import { IdMap } from "./id_map.ts";
import { hexOf, packName } from "./layout.ts";
import { LiveChunks } from "./live_chunks.ts";
import type { ChunkId, SnapshotManifest } from "./model.ts";
import { damagedPack } from "./pack_format.ts";
import { assertChunk, openFrame } from "./restore_frames.ts";
import { StoreIndex } from "./store_index.ts";
import type { StoreParts } from "./store_parts.ts";

interface Wanted {
  readonly id: Uint8Array;
  readonly place: ChunkPlace;
}

export class CopyChunks {
  readonly #from: StoreParts;
  readonly #to: StoreParts;
  readonly #fromIndex: StoreIndex;
  readonly #toIndex: StoreIndex;
  readonly #live: LiveChunks;
  readonly #signal: AbortSignal | undefined;
  readonly #ids = new IdMap();
  /** Both stores have the same key, or none. */
  readonly sameIds: boolean;
  /** Chunks that were looked at, by their number in `#live`. */
  #done = 0;

  private constructor(from: StoreParts, to: StoreParts, signal: AbortSignal | undefined) {
    this.#from = from;
    this.#to = to;
    this.#signal = signal;
    this.#fromIndex = new StoreIndex(from.backend, from.cipher);
    this.#toIndex = new StoreIndex(to.backend, to.cipher);
    const probe = new Uint8Array(32);
    this.sameIds = hexOf(from.cipher.id(probe)) === hexOf(to.cipher.id(probe));
    // Trees are written anew where they name chunks by other ids.
    this.#live = new LiveChunks(from.reader, signal, !this.sameIds);
  }

  static async open(from: StoreParts, to: StoreParts, signal: AbortSignal | undefined): Promise<CopyChunks> {
    const copy = new CopyChunks(from, to, signal);
    await copy.#fromIndex.refresh();
    return copy;
  }

  /** What a chunk that was copied is called there. */
  readonly idOf = (id: ChunkId): ChunkId | undefined => this.sameIds ? id : this.#ids.getHex(id);

  /**
   * Copies what a snapshot needs and what is not there yet, durably. Call it with the lock of both stores held.
   * @returns bytes that were added
   * @throws {IntegrityError} a part of it is missing or damaged
   */
  async copy(manifest: SnapshotManifest): Promise<number> {
    await this.#live.addSnapshot(manifest);
    await this.#toIndex.refresh();
    const wanted: Wanted[] = [];
    for (const id of this.#live.ids.from(this.#done)) {
      if (this.sameIds && this.#toIndex.find(id) !== undefined) continue;
      const place = this.#fromIndex.find(id);
      if (place === undefined) throw this.#missing(id);
      wanted.push({ id: id.slice(), place });
    }
    wanted.sort((a, b) =>
      a.place.pack.id < b.place.pack.id
        ? -1
        : a.place.pack.id > b.place.pack.id
        ? 1
        : a.place.offset - b.place.offset
    );
    const { backend, cipher, level } = this.#to;
    const sink = await ChunkSink.open(backend, cipher, level);
    try {
      await this.#copyAll(wanted, sink);
      await sink.finish();
    } catch (error) {
      sink.abort();
      throw error;
    }
    this.#done = this.#live.ids.count;
    return sink.storedBytes;
  }

  async #copyAll(wanted: readonly Wanted[], sink: ChunkSink): Promise<void> {
    let open: { readonly place: ChunkPlace; readonly raw: Uint8Array } | undefined;
    for (const { id, place } of wanted) {
      throwIfStopped(this.#signal);
      const isOpen = open?.place.pack.id === place.pack.id && open.place.offset === place.offset;
      if (!isOpen) open = { place, raw: await this.#readFrame(place) };
      const bytes = open!.raw.subarray(place.start, place.start + place.size);
      const { backend, cipher } = this.#from;
      assertChunk(backend, packName(place.pack.id), bytes, hexOf(id), cipher);
      await this.#add(id, bytes, sink);
    }
  }

  async #add(id: Uint8Array, bytes: Uint8Array, sink: ChunkSink): Promise<void> {
    if (this.sameIds) return await sink.add(bytes, id);
    const theirs = this.#to.cipher.id(sha256(bytes));
    this.#ids.set(id, theirs);
    if (this.#toIndex.find(theirs) === undefined) await sink.add(bytes, theirs);
  }

  async #readFrame(place: ChunkPlace): Promise<Uint8Array> {
    const { backend, cipher } = this.#from;
    const name = packName(place.pack.id);
    const sealed = await backend.read(name, { offset: place.offset, length: place.stored });
    if (sealed === undefined) throw damagedPack(backend, name, "it is missing");
    return openFrame(backend, name, place, sealed, cipher);
  }

  #missing(id: Uint8Array): Error {
    return damagedPack(this.#from.backend, "index", `no index names the chunk ${hexOf(id)}`);
  }
}
