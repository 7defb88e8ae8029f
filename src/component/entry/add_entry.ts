/** Puts files into the store as an entry. What is there already is not stored again, and the same files give the same hash. */
import { join } from "node:path";
import { digestFiles, FileChangedError } from "#/core/digest.ts";
import type { SnapshotManifest } from "#/store/model.ts";
import type { SnapshotStore, StoredFile, StoreWriter } from "#/store/store.ts";
import { StorageError } from "#/core/errors.ts";
import {
  entryId,
  type EntryKind,
  EntryLabel,
  manifestOf,
  metaHashesOf,
  pendingOf,
  relabel,
  viewOf,
} from "./entry.ts";
import { entryHash, type EntryItem, type EntryTree, sizesOf, writeTree } from "./entry_tree.ts";
import { provenTree } from "./stage_entry.ts";
import { isUntouched, type Source, type SourceItem } from "./scan_source.ts";

export interface AddOptions {
  readonly kind: EntryKind;
  readonly component: string;
  /** Of a cache entry: its key. A store entry is named by its hash. */
  readonly key?: string;
  readonly version?: string | undefined;
  readonly description?: string | undefined;
  readonly labels?: Readonly<Record<string, string>>;
  readonly pinned?: boolean;
  /** Of an import: the name that it had. */
  readonly metaHash?: string;
  /** A remote store that it is to be sent to afterwards. */
  readonly pendingFor?: string | undefined;
  readonly by: string;
  readonly workspace: string;
  readonly now: Date;
  readonly signal?: AbortSignal | undefined;
}

export interface AddedEntry {
  readonly manifest: SnapshotManifest;
  /** False: it was there already. */
  readonly isNew: boolean;
}

/**
 * @throws {FileChangedError} a file changed while it was read: nothing was recorded
 * @throws {StorageError} a file cannot be read
 */
export async function addEntry(
  store: SnapshotStore,
  source: Source,
  options: AddOptions,
): Promise<AddedEntry> {
  const { kind, component, signal } = options;
  // Its lock keeps collections away from what this finds, until the entry is there.
  await using writer = await store.write(signal === undefined ? {} : { signal });
  const tree = await readSource(source, writer, signal);
  const hash = entryHash(tree);
  const name = options.key ?? hash;
  const there = await store.readSnapshot(entryId(kind, name));
  const root = await writeTree(tree, writer);
  if (there !== undefined) {
    // What its packs have lost was just stored again.
    if (writer.storedBytes > 0 && viewOf(there).hash === hash) await writer.putBack();
    await provenTree(store, there);
    return { manifest: await keep(store, there, options), isNew: false };
  }
  const manifest = manifestOf({
    ...{ kind, name, hash, component, tree: root, ...sizesOf(tree) },
    ...{ by: options.by, workspace: options.workspace, now: options.now },
    description: options.description ?? "",
    pinned: options.pinned ?? false,
    labels: labelsOf(options),
    storedBytes: writer.storedBytes,
  });
  await writer.commit(manifest);
  return { manifest, isNew: true };
}

function labelsOf(
  { labels = {}, version, metaHash, pendingFor }: AddOptions,
): Readonly<Record<string, string>> {
  return {
    ...labels,
    ...(version === undefined ? {} : { [EntryLabel.version]: version }),
    ...(metaHash === undefined ? {} : { [EntryLabel.metaHash]: metaHash }),
    ...(pendingFor === undefined ? {} : { [EntryLabel.pending]: pendingFor }),
  };
}

/** Something that is there is needed again: no collection takes it, and what is said of it now holds too. */
async function keep(
  store: SnapshotStore,
  manifest: SnapshotManifest,
  options: AddOptions,
): Promise<SnapshotManifest> {
  const { pendingFor, metaHash, ...rest } = options;
  const wanted = {
    ...labelsOf(rest),
    ...joined(EntryLabel.metaHash, metaHashesOf(manifest), metaHash),
    ...joined(EntryLabel.pending, pendingOf(manifest), pendingFor),
    [EntryLabel.doomed]: undefined,
  };
  const isSame = Object.entries(wanted).every(([name, value]) => manifest.labels[name] === value);
  const labelled = isSame ? manifest : await relabel(store, manifest, wanted);
  if (options.pinned !== true || labelled.pinned) return labelled;
  return await store.updateSnapshot(manifest.id, { pinned: true });
}

function joined(label: string, before: readonly string[], added: string | undefined): Record<string, string> {
  return added === undefined ? {} : { [label]: [...new Set([...before, added])].join("\n") };
}

/** Stores the content of all files. */
async function readSource(
  source: Source,
  writer: StoreWriter,
  signal: AbortSignal | undefined,
): Promise<EntryTree> {
  const files = source.items.filter(({ type }) => type === "file");
  const given = files.map((file) => ({ path: fullPath(source, file), size: file.info.size }));
  const stored = await writer.addFiles(given, signal === undefined ? {} : { signal });
  const contents = new Map(files.map((file, i) => [file.path, contentOf(stored[i]!, given[i]!.path)]));
  const digests = await digestsOfLarge(
    given.filter((_, i) => contents.get(files[i]!.path)!.sha256 === undefined),
    signal,
  );
  for (const file of files) {
    const path = fullPath(source, file);
    if (!isUntouched(path, file.info)) throw new FileChangedError(path);
  }
  const items = source.items.map((item): EntryItem => {
    if (item.type === "folder") return { type: "folder", path: item.path, mode: item.mode };
    if (item.type === "symlink") return { type: "symlink", path: item.path, target: item.target! };
    const content = contents.get(item.path)!;
    const sha256 = content.sha256 ?? digests.get(fullPath(source, item))!;
    return {
      type: "file",
      path: item.path,
      mode: item.mode,
      size: content.size,
      content: { ...content, sha256 },
    };
  });
  return { shape: source.shape, items };
}

function contentOf(stored: StoredFile, path: string): Extract<StoredFile, { kind: "stored" }>["content"] {
  switch (stored.kind) {
    case "stored":
      return stored.content;
    case "changing":
    case "vanished":
      throw new FileChangedError(path);
    case "unreadable":
      throw new StorageError(`Cannot read ${path}: ${stored.reason}`, { context: { path } });
    default:
      return stored satisfies never;
  }
}

async function digestsOfLarge(
  files: readonly { readonly path: string }[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, string>> {
  const digests = await digestFiles(files.map(({ path }) => path), { signal });
  return new Map(digests.map(({ path, sha256 }) => [path, sha256]));
}

/** Where an item of a source is. */
export function fullPath({ path, shape }: Source, item: Pick<SourceItem, "path">): string {
  return shape === "file" ? path : join(path, item.path);
}

/** The digests of a source's files without storing them: the hash that it would have as an entry. */
export async function treeOfSource(source: Source, signal?: AbortSignal): Promise<EntryTree> {
  const files = source.items.filter(({ type }) => type === "file");
  const digests = await digestFiles(files.map((file) => fullPath(source, file)), { signal });
  const byPath = new Map(files.map((file, i) => [file.path, digests[i]!]));
  const items = source.items.map((item): EntryItem => {
    if (item.type === "folder") return { type: "folder", path: item.path, mode: item.mode };
    if (item.type === "symlink") return { type: "symlink", path: item.path, target: item.target! };
    const { size, sha256 } = byPath.get(item.path)!;
    return { type: "file", path: item.path, mode: item.mode, size, content: { size, chunks: [], sha256 } };
  });
  return { shape: source.shape, items };
}
