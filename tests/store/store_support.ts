/** Stores with snapshots in them, for tests of what works on a whole store. */
import assert from "node:assert/strict";
import type { StoreBackend } from "#/store/backend.ts";
import { openFolderBackend } from "#/store/backend_folder.ts";
import type { ContentRef, SnapshotManifest, StoredRoot } from "#/store/model.ts";
import type { StoreEncryption } from "#/store/options.ts";
import { openStoreOn, type PackSnapshotStore } from "#/store/snapshot_store.ts";
import type { StoreReader, StoreWriter } from "#/store/store.ts";
import { partsOf, type StoreParts } from "#/store/store_parts.ts";
import { segmentContents, treeSegments } from "#/store/tree_refs.ts";
import { randomBytes } from "./backend_worlds.ts";

export const DAY_MS = 24 * 3600 * 1000;

/** Files of a snapshot by name. */
export type Files = Readonly<Record<string, Uint8Array>>;

export interface TestStore extends AsyncDisposable {
  readonly store: PackSnapshotStore;
  parts(): Promise<StoreParts>;
}

export async function openTestStore(
  place: string | StoreBackend,
  encryption?: StoreEncryption,
): Promise<TestStore> {
  const backend = typeof place === "string" ? openFolderBackend(place) : place;
  const store = await openStoreOn(backend, { encryption });
  return {
    store,
    parts: async () => {
      const parts = await partsOf(store);
      assert.ok(parts !== undefined);
      return parts;
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

/** Some files of random bytes; `seed` of their names. */
export function someFiles(count: number, bytes: number, name = "file"): Files {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`/${name}${n}`, randomBytes(bytes)]));
}

/** Files of which every process knows the bytes: they depend on their numbers only. */
export function numberedFiles(numbers: readonly number[]): Files {
  return Object.fromEntries(numbers.map((number) => [`/numbered${number}`, numberedBytes(number)]));
}

function numberedBytes(number: number): Uint8Array {
  const words = new Uint32Array(15_000 + number * 500);
  let state = number + 1;
  for (let i = 0; i < words.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    words[i] = state ^ state >>> 13;
  }
  return new Uint8Array(words.buffer);
}

/** Stores a snapshot with one tree and one plain content. */
export async function addSnapshot(
  store: { write(): Promise<StoreWriter> },
  id: string,
  files: Files,
  change: Partial<SnapshotManifest> = {},
): Promise<SnapshotManifest> {
  await using writer = await store.write();
  return await commitFiles(writer, id, files, change);
}

export async function commitFiles(
  writer: StoreWriter,
  id: string,
  files: Files,
  change: Partial<SnapshotManifest> = {},
): Promise<SnapshotManifest> {
  const { manifest } = await addFilesTo(writer, id, files, change);
  await writer.commit(manifest);
  return manifest;
}

export async function addFilesTo(
  writer: StoreWriter,
  id: string,
  files: Files,
  change: Partial<SnapshotManifest> = {},
): Promise<{ readonly manifest: SnapshotManifest }> {
  const text = (lines: readonly unknown[]) =>
    new TextEncoder().encode(lines.map((it) => `${JSON.stringify(it)}\n`).join(""));
  const entries = [];
  for (const [path, bytes] of Object.entries(files)) {
    entries.push({ path, type: "file", size: bytes.length, content: await writer.addBytes(bytes) });
  }
  entries.push({ path: "/link", type: "symlink", target: "file0" });
  const half = Math.ceil(entries.length / 2);
  const segments = [];
  for (const part of [entries.slice(0, half), entries.slice(half)]) {
    segments.push({ segment: await writer.addBytes(text(part)) });
  }
  const tree = await writer.addBytes(text([{ format: 1, name: id }, ...segments]));
  const plain = await writer.addBytes(new TextEncoder().encode(`a dump of ${id}`));
  const roots: readonly StoredRoot[] = [
    { kind: "tree", content: tree },
    { kind: "content", content: plain },
  ];
  const manifest: SnapshotManifest = {
    ...{ format: 1, id, description: "", created_at: `2026-01-01T00:00:00.${sequence()}Z`, origin: "manual" },
    ...{ operation_id: crypto.randomUUID(), by: "test", host: "host", machine_id: "", workspace: "/work" },
    ...{ pinned: false, mark: "", labels: {}, warnings: [] },
    targets: [{
      ...{ name: "files", type: "file_system", undo: "exact", config: {}, method: "filesystem_backup" },
      ...{ metadata: {}, fingerprint: "", files: Object.keys(files).length, bytes: 0, stored_bytes: 0 },
      state: { tree: { ...tree }, dump: { ...plain } },
      ...{ roots, seconds: 0, warnings: [] },
    }],
    ...change,
  };
  return { manifest };
}

let made = 0;
const sequence = () => String(++made % 1000).padStart(3, "0");

/** Reads everything that a snapshot refers to. @throws when a byte of it is not there */
export async function readSnapshotFiles(
  store: StoreReader,
  id: string,
): Promise<{ readonly files: Files; readonly dump: string }> {
  const manifest = await store.readSnapshot(id);
  assert.ok(manifest !== undefined, `there is no snapshot ${id}`);
  const { tree, dump } = manifest.targets[0]!.state as unknown as Record<"tree" | "dump", ContentRef>;
  const read = (content: ContentRef) => store.readBytes(content, { maxBytes: 1 << 30 });
  const files: Record<string, Uint8Array> = {};
  for (const segment of treeSegments(await read(tree))) {
    const bytes = await read(segment);
    segmentContents(bytes);
    for (const line of new TextDecoder().decode(bytes).trim().split("\n")) {
      if (line === "") continue;
      const { path, content } = JSON.parse(line) as { path: string; content?: ContentRef };
      if (content !== undefined) files[path] = await read(content);
    }
  }
  return { files, dump: new TextDecoder().decode(await read(dump)) };
}

/** Everything of a snapshot is there with its bytes. */
export async function assertWhole(store: StoreReader, id: string, files: Files): Promise<void> {
  const read = await readSnapshotFiles(store, id);
  assert.deepEqual(Object.keys(read.files).sort(), Object.keys(files).sort(), id);
  for (const [path, bytes] of Object.entries(files)) {
    assert.ok(areEqual(read.files[path]!, bytes), `${id}: ${path} has other bytes`);
  }
  assert.equal(read.dump, `a dump of ${id}`);
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
