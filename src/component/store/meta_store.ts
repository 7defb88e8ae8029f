/**
 * The store of the meta CLI: `.meta-store/<2 hex>/<hash>`, a file or a folder for each entry. It is read as it is, and
 * never changed. How the meta CLI makes its hashes is its own business: they are names here. Where one is the SHA-256 of a
 * file it is checked.
 */
import { join } from "node:path";
import { digestFiles } from "#/core/digest.ts";
import { IntegrityError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import type { SnapshotManifest } from "#/store/model.ts";
import type { SnapshotStore } from "#/store/store.ts";
import { addEntry } from "../entry/add_entry.ts";
import { listEntries, metaHashesOf } from "../entry/entry.ts";
import { scanSource } from "../entry/scan_source.ts";
import { actor, type EntryOptions } from "../entry/stores.ts";
import { META_STORE_FOLDER } from "../model.ts";

export interface MetaEntry {
  readonly hash: string;
  /** Absolute. */
  readonly path: string;
  readonly isFile: boolean;
  /** RFC 3339, when it was last changed. */
  readonly changed_at: string;
  /** Of a file. */
  readonly bytes: number | null;
}

const SHARD = /^[0-9a-f]{2}$/;
const HASH = /^[0-9a-f]{8,128}$/;
const SHA256 = /^[0-9a-f]{64}$/;
/** What an entry is called that nobody named. */
const UNNAMED = "meta-store";

/** All entries of a `.meta-store` in a folder, sorted by hash. Symlinks in the place of entries are left out. */
export function listMetaStore(folder: string): readonly MetaEntry[] {
  const root = join(folder, META_STORE_FOLDER);
  if (posix.lstat(root)?.isDirectory !== true) return [];
  const entries: MetaEntry[] = [];
  for (const shard of posix.readFolder(root) ?? []) {
    if (!shard.isDirectory || !SHARD.test(shard.name)) continue;
    for (const { name } of posix.readFolder(join(root, shard.name)) ?? []) {
      const entry = name.startsWith(shard.name) && HASH.test(name)
        ? entryAt(join(root, shard.name, name), name)
        : undefined;
      if (entry !== undefined) entries.push(entry);
    }
  }
  return entries.sort((a, b) => (a.hash < b.hash ? -1 : 1));
}

function entryAt(path: string, hash: string): MetaEntry | undefined {
  const info = posix.lstat(path);
  if (info === undefined || (!info.isFile && !info.isDirectory)) return undefined;
  const changed_at = (info.mtime ?? new Date(0)).toISOString();
  return { hash, path, isFile: info.isFile, changed_at, bytes: info.isFile ? info.size : null };
}

/** The one entry that begins so; undefined when there is none, or several. */
export function findInMetaStore(folder: string, wanted: string): MetaEntry | undefined {
  const matches = listMetaStore(folder).filter(({ hash }) => hash.startsWith(wanted));
  return matches.length === 1 ? matches[0] : undefined;
}

/** Takes an entry over, under a hash of our own; its old name still finds it. @throws {IntegrityError} 54 */
export async function importMetaEntry(
  store: SnapshotStore,
  options: EntryOptions,
  { hash, path, isFile, changed_at }: MetaEntry,
  component = UNNAMED,
): Promise<SnapshotManifest> {
  const { signal, folder, remote } = options;
  if (isFile && SHA256.test(hash)) await assertFile(path, hash, options);
  const source = await scanSource(path, { signal });
  const { manifest } = await addEntry(store, source, {
    ...{ kind: "store", component, workspace: folder, now: new Date(changed_at), signal },
    ...{ metaHash: hash, pendingFor: remote, by: actor(options) },
  });
  return manifest;
}

/** A hash that is no SHA-256 of the file may be of another kind; one that is damaged cannot be told from it. */
async function assertFile(path: string, hash: string, { signal, onWarning }: EntryOptions): Promise<void> {
  const info = posix.lstat(path);
  if (info === undefined) throw new IntegrityError(`${path} went just now`, { context: { path } });
  const [digest] = await digestFiles([path], { signal });
  if (digest!.sha256 === hash) return;
  onWarning(`${path}: its SHA-256 is ${digest!.sha256}, so its name says something else, or it was changed`);
}

/** Hashes of the `.meta-store` that the store has already. */
export async function importedHashes(store: SnapshotStore): Promise<ReadonlySet<string>> {
  const { entries } = await listEntries(store);
  return new Set(entries.flatMap(metaHashesOf));
}

export interface ImportView {
  readonly imported: readonly { readonly meta_hash: string; readonly hash: string }[];
  readonly already_there: readonly string[];
  readonly failed: readonly { readonly meta_hash: string; readonly reason: string }[];
}
