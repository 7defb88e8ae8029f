/** Stores chunks that are not there yet. One for each thread; what is there, they share. */
import { sha256 } from "#/core/sha256.ts";
import type { ChunkCipher } from "./cipher.ts";
import { IdTable, type SharedIdTable } from "./id_table.ts";
import { hexOf } from "./layout.ts";
import { PackWriter, type PackWriterOptions } from "./pack_writer.ts";

/** Passes through `postMessage`. */
export interface SharedTables {
  /** What is in the store. */
  readonly known: readonly SharedIdTable[];
  /** What this process is adding. */
  readonly added: SharedIdTable;
}

export interface AddedChunk {
  /** In hex. */
  readonly id: string;
  /** SHA-256 in hex. */
  readonly sha256: string;
}

/** What was stored on somebody's behalf, in bytes; what waits for its frame is a guess. */
export interface StoredTally {
  bytes: number;
}

/** Where chunks go. */
export type ChunkTaker = Pick<ChunkAdder, "add" | "idOf">;

/** The same adder, with what it stores meanwhile added to a tally. */
export function counting(adder: ChunkAdder, tally: StoredTally): ChunkTaker {
  return {
    idOf: (digest) => adder.idOf(digest),
    add: (bytes, digest) => {
      const before = adder.packs.storedBytes;
      const added = adder.add(bytes, digest);
      tally.bytes += adder.packs.storedBytes - before;
      return added;
    },
  };
}

export class ChunkAdder {
  readonly packs: PackWriter;
  readonly #cipher: ChunkCipher;
  #known: readonly IdTable[] = [];
  #added: IdTable;
  /** After a failure it is not known what was stored: nothing more is, and nothing is committed. */
  #failure: { readonly error: unknown } | undefined;

  constructor(options: PackWriterOptions, tables: SharedTables) {
    this.packs = new PackWriter(options);
    this.#cipher = options.cipher;
    this.#added = new IdTable(tables.added);
    this.useTables(tables);
  }

  useTables(tables: SharedTables): void {
    this.#known = tables.known.map((table) => new IdTable(table));
    this.#added = new IdTable(tables.added);
  }

  /** What a chunk with this digest is called. */
  idOf(digest: Uint8Array): Uint8Array {
    return this.#cipher.id(digest);
  }

  /** Its bytes may be used anew afterwards. @param digest their SHA-256, where it is known */
  add(bytes: Uint8Array, digest: Uint8Array = sha256(bytes)): AddedChunk {
    const id = this.#cipher.id(digest);
    this.#guarded(() => {
      const isKnown = this.#known.some((table) => table.find(id) !== undefined) || !this.#added.add(id);
      if (!isKnown) this.packs.add(bytes, id);
    });
    const hex = hexOf(id);
    return { id: hex, sha256: id === digest ? hex : hexOf(digest) };
  }

  /** Ends the pack. */
  finish(): void {
    this.#guarded(() => this.packs.finish());
  }

  #guarded(work: () => void): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    try {
      work();
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }
}
