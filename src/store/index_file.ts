/** Index files: what one writer added to the store, so that a reader need not open packs. */
import { sha256 } from "#/core/sha256.ts";
import { IntegrityError, StorageError } from "#/core/errors.ts";
import type { StoreBackend } from "./backend.ts";
import type { ChunkCipher } from "./cipher.ts";
import { decodePacks, encodePacks, openBody, type PackIndex, sealBody } from "./index_format.ts";
import { INDEX_FOLDER, indexIdOf, indexName, newFileId } from "./layout.ts";

/** An index as it was read. */
export interface FinishedIndex {
  readonly name: string;
  readonly packs: readonly PackIndex[];
}

const MAGIC = new TextEncoder().encode("BKOTIDX1");
const HEAD_BYTES = 8 + 32;

/** @returns the name of the new file; it is durable */
export async function writeIndex(
  backend: StoreBackend,
  packs: readonly PackIndex[],
  cipher: ChunkCipher,
  level: number,
): Promise<string> {
  const name = indexName(newFileId());
  const body = sealBody(encodePacks(packs), cipher, level, name);
  const bytes = new Uint8Array(HEAD_BYTES + body.length);
  bytes.set(MAGIC);
  bytes.set(sha256(body), MAGIC.length);
  bytes.set(body, HEAD_BYTES);
  await backend.create(name, bytes);
  return name;
}

/**
 * Undefined when it was removed meanwhile.
 * @throws {IntegrityError} it is torn or changed
 * @throws {StorageError} it is compressed as this runtime cannot
 */
export async function readIndex(
  backend: StoreBackend,
  name: string,
  cipher: ChunkCipher,
): Promise<FinishedIndex | undefined> {
  const bytes = await backend.read(name);
  if (bytes === undefined) return undefined;
  const body = bytes.subarray(HEAD_BYTES);
  const digest = sha256(body);
  const isWhole = bytes.length >= HEAD_BYTES && MAGIC.every((byte, i) => bytes[i] === byte) &&
    digest.every((byte, i) => bytes[MAGIC.length + i] === byte);
  if (!isWhole) throw damagedIndex(backend, name, "it is torn or changed");
  try {
    return { name, packs: decodePacks(openBody(body, cipher, name)) };
  } catch (cause) {
    if (cause instanceof StorageError) throw cause; // this runtime cannot read it; nothing is wrong with the index
    throw damagedIndex(backend, name, "it does not open", cause);
  }
}

/** The names of all indexes, sorted. */
export async function listIndexes(backend: StoreBackend): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const { name } of backend.list(INDEX_FOLDER)) {
    if (indexIdOf(name) !== undefined) names.push(name);
  }
  return names;
}

export function damagedIndex(
  store: { readonly location: string },
  name: string,
  state: string,
  cause?: unknown,
): IntegrityError {
  return new IntegrityError(`The snapshot store ${store.location} is damaged: ${name}: ${state}`, {
    hint: "Run `backout snapshot verify`: an index can be made anew from the packs.",
    context: { store: store.location, file: name },
    ...(cause === undefined ? {} : { cause }),
  });
}
