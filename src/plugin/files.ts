/** `metadata.files` of an answer: which files a snapshot has, by digest, or with their content where that is asked for. */
import type { JsonValue } from "#/core/json.ts";
import type { WorkspaceOptions } from "#/snapshot/options.ts";
import { inWorkspace } from "#/snapshot/workspace.ts";
import type { SavedTarget, SnapshotManifest } from "#/store/model.ts";
import type { StoreReader } from "#/store/store.ts";
import type { TreeEntry } from "#/target/tree/entry.ts";
import { readRoot, readTree } from "#/target/tree/tree.ts";
import type { FileFacts } from "./answer.ts";

/** More are counted by `total_files`, not listed. */
const MOST_FILES = 1000;
const LARGEST_CONTENT = 1024 * 1024;

/** The files of each target that consists of files, by the target's name. */
export async function snapshotFiles(
  manifest: SnapshotManifest,
  options: WorkspaceOptions,
  withContent: boolean,
): Promise<ReadonlyMap<string, FileFacts>> {
  const trees = manifest.targets.filter(({ roots }) => roots.some(({ kind }) => kind === "tree"));
  if (trees.length === 0) return new Map();
  return await inWorkspace(options, async (workspace) => {
    const store = await workspace.store();
    const found = new Map<string, FileFacts>();
    for (const target of trees) found.set(target.name, await filesOf(target, store, withContent));
    return found;
  });
}

async function filesOf(target: SavedTarget, store: StoreReader, withContent: boolean): Promise<FileFacts> {
  const files: [string, JsonValue][] = [];
  for (const { kind, content } of target.roots) {
    if (kind !== "tree") continue;
    for await (const entries of readTree(store, await readRoot(store, content))) {
      for (const entry of entries) {
        if (entry.type !== "file" || entry.content === undefined) continue;
        if (files.length === MOST_FILES) return Object.fromEntries(files);
        files.push([entry.path, await factOf(entry, store, withContent)]);
      }
    }
  }
  return Object.fromEntries(files);
}

/** Its text; where it is no text, or too large to be sent, its digest. */
async function factOf(entry: TreeEntry, store: StoreReader, withContent: boolean): Promise<JsonValue> {
  const content = entry.content!;
  if (withContent && content.size <= LARGEST_CONTENT) {
    const bytes = await store.readBytes(content, { maxBytes: LARGEST_CONTENT });
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      // Not text: JSON cannot carry it as it is.
    }
  }
  return content.sha256 ?? null;
}
