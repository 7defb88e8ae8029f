/** Stores, files and manifests for the tests of the store's core. */
import * as crypto from "node:crypto";
import type { ContentRef, SnapshotManifest } from "#/store/model.ts";
import { openSnapshotStore, type OpenSnapshotStoreOptions } from "#/store/open.ts";
import type { FileToStore, SnapshotStore, StoredFile } from "#/store/store.ts";

export function openStore(
  location: string,
  options: Partial<OpenSnapshotStoreOptions> = {},
): Promise<SnapshotStore> {
  return openSnapshotStore({ location, by: "test", ...options });
}

/** A manifest with content among the roots of its one target. */
export function manifestOf(id: string, contents: readonly ContentRef[] = []): SnapshotManifest {
  return {
    ...{ format: 1, id, description: "a test", created_at: "2026-11-21T07:00:00.000Z", origin: "manual" },
    ...{ operation_id: "op", by: "test", host: "host", machine_id: "", workspace: "/work", pinned: false },
    ...{ mark: "", labels: {}, warnings: [] },
    targets: [{
      ...{ name: "files", type: "file_system", undo: "exact", config: {}, method: "filesystem_backup" },
      ...{
        metadata: {},
        state: {},
        fingerprint: "",
        files: 0,
        bytes: 0,
        stored_bytes: 0,
        seconds: 0,
        warnings: [],
      },
      roots: contents.map((content) => ({ kind: "content", content })),
    }],
  };
}

/** The same bytes for the same seed: half of them hard to compress. */
export function bytesOf(seed: number, length: number): Uint8Array<ArrayBuffer> {
  const key = crypto.createHash("sha256").update(String(seed)).digest();
  const cipher = crypto.createCipheriv("aes-256-ctr", key, new Uint8Array(16));
  const bytes = new Uint8Array(cipher.update(new Uint8Array(length)));
  cipher.final();
  for (let block = 0; block < length; block += 1024) {
    if ((block / 1024 + seed) % 2 === 0) {
      bytes.fill(97 + seed % 20, block + 64, Math.min(length, block + 900));
    }
  }
  return bytes;
}

export function writeFile(path: string, bytes: Uint8Array): FileToStore {
  Deno.writeFileSync(path, bytes);
  return { path, size: bytes.length };
}

/** The content of a file that was stored. */
export function contentOf(stored: StoredFile | undefined): ContentRef {
  if (stored?.kind !== "stored") throw new Error(`not stored: ${JSON.stringify(stored)}`);
  return stored.content;
}

/** Stores files as one snapshot. */
export async function saveFiles(
  store: SnapshotStore,
  id: string,
  files: readonly FileToStore[],
): Promise<readonly ContentRef[]> {
  await using writer = await store.write();
  const contents = (await writer.addFiles(files)).map(contentOf);
  await writer.commit(manifestOf(id, contents));
  return contents;
}

export async function readAll(store: SnapshotStore, content: ContentRef): Promise<Uint8Array> {
  return await new Response(store.readStream(content)).bytes();
}

/** Paths of all files below a folder of a store, relative. */
export function storeFiles(location: string, folder: string): readonly string[] {
  return [...Deno.readDirSync(`${location}/${folder}`)].map(({ name }) => `${folder}/${name}`).sort();
}
