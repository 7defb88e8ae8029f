/** What the tests of storage drivers have in common: fresh storages, records, and short ways to look. */
import { createHash } from "node:crypto";
import type { FileRecord } from "#/repository/index_format.ts";
import type { Move, ObjectStore, StagedFile } from "#/storage/object_store.ts";

/** An empty storage of a driver; disposed of after the test. */
export interface FreshStore extends AsyncDisposable {
  readonly store: ObjectStore;
  /** The same storage, opened anew: what another process would see. */
  again(): ObjectStore;
}

/** Registers a test of the suite. */
export type AddCase = (name: string, body: (fresh: FreshStore) => Promise<void>) => void;

export interface SuiteOptions {
  /** False where the storage copies by itself and says nothing of the bytes: only sizes are compared then. */
  readonly checksCopiedDigests: boolean;
}

export const OPERATION = "01931b2e-6a00-7000-8000-000000000001";
export const LIMIT = { maxBytes: 1 << 20 };

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Everything below a prefix. */
export async function keysOf(store: ObjectStore, prefix: string): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const stat of store.list(prefix)) keys.push(stat.key);
  return keys;
}

/** The text of a key; undefined when it is not there. */
export async function textOf(store: ObjectStore, key: string): Promise<string | undefined> {
  const read = await store.read(key, { maxBytes: 64 << 20 });
  return read === undefined ? undefined : new TextDecoder().decode(read.bytes);
}

/** Moves of keys into a backup folder, as a rollback makes them. */
export async function movesInto(
  store: ObjectStore,
  backup: string,
  keys: readonly string[],
): Promise<Move[]> {
  const stats = await store.statMany(keys);
  return keys.map((key, i) => ({ from: key, to: `.rollback-backups/${backup}/${key}`, expected: stats[i]! }));
}

/** Files to stage whose sources are keys of the same storage. */
export async function sources(
  store: ObjectStore,
  texts: Readonly<Record<string, string>>,
): Promise<readonly StagedFile[]> {
  const files: StagedFile[] = [];
  for (const [path, text] of Object.entries(texts)) {
    const key = `.rollback-backups/source/${path}`;
    await store.replace(key, bytesOf(text));
    files.push({ record: recordOf(path, text), source: { key } });
  }
  return files;
}

export function recordOf(path: string, text: string, mode = 0o644): FileRecord {
  return { path, size: bytesOf(text).length, sha256: sha256(text), mode };
}
