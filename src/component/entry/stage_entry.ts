/** Writes an entry out of the store, into a folder that nobody looks at yet, and proves that it is what its hash says. */
import { join } from "node:path";
import { digestFiles } from "#/core/digest.ts";
import { IntegrityError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import { syncFilesystem } from "#/core/posix_native.ts";
import { attempt } from "#/core/system_error.ts";
import type { SnapshotManifest } from "#/store/model.ts";
import type { StoreReader } from "#/store/store.ts";
import { treeOf, viewOf } from "./entry.ts";
import { type EntryFile, entryHash, type EntryTree, readTree } from "./entry_tree.ts";

export interface StageOptions {
  /** Make the bytes durable before it returns. @default true */
  readonly durable?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** The entry's tree, proven to be the one that its hash names. @throws {IntegrityError} */
export async function provenTree(store: StoreReader, manifest: SnapshotManifest): Promise<EntryTree> {
  const { hash, id, kind } = viewOf(manifest);
  const tree = await readTree(store, treeOf(manifest));
  const actual = entryHash(tree);
  if (actual !== hash) throw poisoned(store, manifest, `it holds ${actual} where ${hash} was named`);
  if (kind === "store" && id !== hash) throw poisoned(store, manifest, `it holds ${hash}`);
  return tree;
}

/** Whether there is such an entry, and its manifest or tree is not what it was. */
export async function isDamaged(store: StoreReader, id: string): Promise<boolean> {
  try {
    const manifest = await store.readSnapshot(id);
    if (manifest !== undefined) await provenTree(store, manifest);
    return false;
  } catch (error) {
    if (error instanceof IntegrityError) return true;
    throw error;
  }
}

/**
 * Writes the entry to `path`, which must not exist; its folder must. All bytes are proven by their digests. After a
 * failure some of it may be left there.
 * @throws {IntegrityError} 54: something of it is damaged, or is not what its hash says
 */
export async function stageEntry(
  store: StoreReader,
  manifest: SnapshotManifest,
  path: string,
  { durable = true, signal }: StageOptions = {},
): Promise<EntryTree> {
  const tree = await provenTree(store, manifest);
  const files = tree.items.filter((item) => item.type === "file");
  const placeOf = (item: { readonly path: string }) => tree.shape === "file" ? path : join(path, item.path);
  attempt("create", path, () => makeFolders(tree, path));
  await store.writeFiles(
    files.map((file) => ({ content: file.content, path: placeOf(file) })),
    signal === undefined ? {} : { signal },
  );
  await assertDigests(store, manifest, files, placeOf, signal);
  attempt("write", path, () => {
    for (const item of tree.items) if (item.type === "symlink") posix.symlink(item.target, placeOf(item));
    for (const file of files) if (file.mode !== WRITTEN_MODE) posix.chmod(placeOf(file), file.mode);
  });
  if (durable) await makeDurable(tree, path, placeOf);
  // Last, deepest first: a folder may be one that nobody may write to.
  attempt("write", path, () => {
    for (const item of tree.items.toReversed()) {
      if (item.type === "folder" && item.mode !== STAGED_MODE) posix.chmod(placeOf(item), item.mode);
    }
    if (tree.shape === "folder") posix.chmod(path, ROOT_MODE);
  });
  return tree;
}

/** As the store writes files. */
const WRITTEN_MODE = 0o600;
const STAGED_MODE = 0o700;
/** Of the entry's own folder, which is not part of its hash. */
const ROOT_MODE = 0o755;

function makeFolders(tree: EntryTree, path: string): void {
  if (tree.shape === "file") return;
  posix.mkdir(path, STAGED_MODE);
  for (const item of tree.items) if (item.type === "folder") posix.mkdir(join(path, item.path), STAGED_MODE);
}

/** Content of one chunk was proven when it was read, if the chunk's name is its digest; all else is read once more. */
async function assertDigests(
  store: StoreReader,
  manifest: SnapshotManifest,
  files: readonly EntryFile[],
  placeOf: (file: EntryFile) => string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const open = files.filter(({ content }) => !isProvenByName(content));
  const digests = await digestFiles(open.map(placeOf), { signal });
  const wrong = open.find((file, i) => digests[i]!.sha256 !== file.content.sha256);
  if (wrong === undefined) return;
  throw poisoned(store, manifest, `${JSON.stringify(wrong.path).slice(0, 200)} has other bytes`);
}

/** Whether reading it proves its digest: one chunk whose name is the digest. */
export function isProvenByName({ chunks, sha256 }: EntryFile["content"]): boolean {
  return chunks.length === 1 && chunks[0] === sha256;
}

async function makeDurable(
  tree: EntryTree,
  path: string,
  placeOf: (item: { readonly path: string }) => string,
): Promise<void> {
  if (tree.shape === "folder" && attempt("write", path, () => syncFilesystem(path))) return;
  const files = tree.items.filter((item) => item.type === "file").map(placeOf);
  const failed = await posix.syncFiles(files);
  attempt("write", failed?.path ?? path, () => {
    if (failed !== undefined) throw failed.error;
    for (const item of tree.items.toReversed()) if (item.type === "folder") posix.syncFolder(placeOf(item));
    if (tree.shape === "folder") posix.syncFolder(path);
  });
}

function poisoned(store: StoreReader, { id }: SnapshotManifest, why: string): IntegrityError {
  return new IntegrityError(`The entry ${id} in ${store.location} is not what its name says: ${why}`, {
    hint: "It was changed in the store, so nothing of it is used. Add it anew, or invalidate it.",
    context: { id, store: store.location },
  });
}
