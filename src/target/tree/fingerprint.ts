/** What a tree is now, as the fingerprint of a capture says it: a capture that stores nothing. */
import { RollbackBackupError } from "#/core/errors.ts";
import type { ContentRef } from "#/store/model.ts";
import type { FileToStore, KnownContent, StoredFile, StoreReader, StoreWriter } from "#/store/store.ts";
import type { TargetContext } from "../target.ts";
import { captureTree, type TreeOptions } from "./capture.ts";
import { DIGESTED_BYTES } from "./entry.ts";
import { lookAt } from "./look.ts";
import { digestsOf } from "./same_content.ts";

/** The trees that this process last dealt with: what is untouched since then is not read for a fingerprint. */
const known = new Map<string, { readonly store: StoreReader; readonly root: ContentRef }>();

/** Remembers a tree of these roots. */
export function rememberTree(roots: readonly string[], store: StoreReader, root: ContentRef): void {
  known.set(JSON.stringify(roots), { store, root });
}

export async function fingerprintTree(options: TreeOptions, context: TargetContext): Promise<string> {
  const earlier = known.get(JSON.stringify(options.roots));
  const silent = {
    ...context,
    warn: () => {},
    onProgress: () => {},
    writer: new DigestWriter(),
    previous: undefined,
  };
  if (earlier !== undefined) {
    try {
      const captured = await captureTree(options, earlier.root, { ...silent, store: earlier.store });
      return captured.fingerprint;
    } catch (error) {
      // The store may be closed meanwhile; what cannot be read here will say so again below.
      if (context.signal.aborted || error instanceof RollbackBackupError) throw error;
      known.delete(JSON.stringify(options.roots));
    }
  }
  const captured = await captureTree(options, undefined, { ...silent, store: NO_STORE });
  return captured.fingerprint;
}

const NO_CONTENT: ContentRef = { size: 0, chunks: [] };

/** Knows digests and keeps nothing. */
class DigestWriter implements StoreWriter {
  readonly storedBytes = 0;
  /** Only digests count. */
  readonly known: KnownContent = { has: () => true, packsOf: () => [], hasPacks: () => true };

  async addFiles(
    files: readonly FileToStore[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly StoredFile[]> {
    const read = files.filter((it) => it.size <= DIGESTED_BYTES).map((it) => it.path);
    const digests = await digestsOf(read, options.signal ?? new AbortController().signal);
    return files.map(({ path, size }): StoredFile => {
      if (size > DIGESTED_BYTES) return { kind: "stored", content: { size, chunks: [] } };
      const sha256 = digests.get(path);
      if (sha256 !== undefined) return { kind: "stored", content: { size, chunks: [], sha256 } };
      return lookAt(path)?.type !== "file" ? { kind: "vanished" } : this.#unread(path);
    });
  }

  /** Changing at the moment, or not to be read: the walk asks again, then says so. */
  #unread(path: string): StoredFile {
    try {
      Deno.openSync(path, { read: true }).close();
      return { kind: "changing", content: NO_CONTENT };
    } catch (error) {
      return { kind: "unreadable", reason: error instanceof Error ? error.name : String(error) };
    }
  }

  addBytes(): Promise<ContentRef> {
    return Promise.resolve(NO_CONTENT);
  }

  addStream(): Promise<ContentRef> {
    return Promise.resolve(NO_CONTENT);
  }

  commit(): Promise<void> {
    return Promise.resolve();
  }

  putBack(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

const NO_STORE = new Proxy({} as StoreReader, {
  get: () => {
    throw new Error("a fingerprint without an earlier tree reads no store");
  },
});
