/** All index files of a store at once, for what works on the whole of it. */
import { IntegrityError, messageOf } from "#/core/errors.ts";
import type { StoreBackend } from "./backend.ts";
import type { ChunkCipher } from "./cipher.ts";
import { damagedIndex, type FinishedIndex, listIndexes, readIndex } from "./index_file.ts";
import { decodeFrames, type PackIndex } from "./index_format.ts";
import { PACK_FOLDER, packIdOf } from "./layout.ts";

export interface DamagedFile {
  readonly name: string;
  readonly reason: string;
}

/** An index that is replaced while all are read is looked for again so often. */
const MAX_TRIES = 5;

/** All index files, and which of them cannot be read. */
export async function readIndexFiles(
  backend: StoreBackend,
  cipher: ChunkCipher,
): Promise<{ readonly files: readonly FinishedIndex[]; readonly damaged: readonly DamagedFile[] }> {
  for (let tries = 1;; tries++) {
    const files: FinishedIndex[] = [];
    const damaged: DamagedFile[] = [];
    let isComplete = true;
    for (const name of await listIndexes(backend)) {
      try {
        const file = await readIndex(backend, name, cipher);
        if (file === undefined) isComplete = false; // a collection has put its packs into another one
        else files.push(checked(file));
      } catch (error) {
        if (!(error instanceof IntegrityError || error instanceof TornIndex)) throw error;
        damaged.push({ name, reason: messageOf(error) });
      }
    }
    if (isComplete || tries === MAX_TRIES) return { files, damaged };
  }
}

/** All index files. @throws {IntegrityError} one of them cannot be read */
export async function loadIndexFiles(
  backend: StoreBackend,
  cipher: ChunkCipher,
): Promise<readonly FinishedIndex[]> {
  const { files, damaged } = await readIndexFiles(backend, cipher);
  const [first] = damaged;
  if (first !== undefined) throw damagedIndex(backend, first.name, first.reason);
  return files;
}

/** Each pack once, also where two index files name it. */
export function packsOf(files: readonly FinishedIndex[]): ReadonlyMap<string, PackIndex> {
  return new Map(files.flatMap((file) => file.packs.map((pack) => [pack.id, pack] as const)));
}

/** The packs that lie in the store, by id. */
export async function packSizes(backend: StoreBackend): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  for await (const { name, size } of backend.list(PACK_FOLDER)) {
    const id = packIdOf(name);
    if (id !== undefined) sizes.set(id, size);
  }
  return sizes;
}

/** What an index says does not fit together. */
class TornIndex extends Error {}

function checked(file: FinishedIndex): FinishedIndex {
  for (const pack of file.packs) {
    try {
      decodeFrames(pack.frames, pack.size);
    } catch (cause) {
      throw new TornIndex(`${file.name}: ${messageOf(cause)}`, { cause });
    }
  }
  return file;
}
