/** What is in the store, as its indexes and a writer tell. */
import type { IdTable } from "./id_table.ts";
import type { ContentRef } from "./model.ts";
import type { KnownContent } from "./store.ts";
import type { StoreIndex } from "./store_index.ts";

/** @param added the chunks of a writer that is still at work: their packs have no index yet */
export function knownContent(index: StoreIndex, added: () => readonly IdTable[]): KnownContent {
  return {
    has: ({ chunks }) =>
      chunks.every((id) => {
        const bytes = Uint8Array.fromHex(id);
        return index.packOf(bytes) !== undefined || added().some((table) => table.find(bytes) !== undefined);
      }),
    packsOf: (contents) => packsOf(index, contents),
    hasPacks: (ids) => ids.every((id) => index.hasPack(id)),
  };
}

function packsOf(index: StoreIndex, contents: readonly ContentRef[]): readonly string[] | undefined {
  const packs = new Set<string>();
  for (const { chunks } of contents) {
    for (const id of chunks) {
      const pack = index.packOf(Uint8Array.fromHex(id));
      if (pack === undefined) return undefined;
      packs.add(pack);
    }
  }
  return [...packs].sort();
}
