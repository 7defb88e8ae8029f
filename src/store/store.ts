/**
 * The snapshot store: content in chunks, chunks in packs, and a manifest for each snapshot.
 *
 * What it guarantees: a snapshot whose manifest can be read is whole (its bytes were durable before the manifest was
 * written); a writer that dies leaves nothing that a reader sees; collection never takes what a manifest, or a writer
 * that is still at work, refers to; every byte that is read is checked against its id (else `IntegrityError`, exit 54).
 */
import type { FileStamp } from "#/core/native_files.ts";
import type { FileLook } from "#/core/posix_files.ts";
import type { BatchOptions } from "#/storage/object_store.ts";
import type { ContentRef, SnapshotManifest } from "./model.ts";

/** A file of this machine whose content is to be stored. */
export interface FileToStore {
  /** Absolute; opened without following a symlink. */
  readonly path: string;
  /** As `lstat` said; another size while it is read is a change. */
  readonly size: number;
  /** Content of the same file in an earlier snapshot: chunks that are still there are not written again. */
  readonly previous?: ContentRef;
}

/** What became of a file: in the order of the files given. */
export type StoredFile =
  | {
    readonly kind: "stored";
    readonly content: ContentRef;
    /** What was read, where it was looked at through the open file. */
    readonly stamp?: FileStamp;
  }
  /** It was there when it was listed. */
  | { readonly kind: "vanished" }
  /** Read twice, and other bytes or another size each time; what was read last is kept. */
  | { readonly kind: "changing"; readonly content: ContentRef }
  | { readonly kind: "unreadable"; readonly reason: string };

/** Content that becomes a file of this machine. */
export interface FileToWrite {
  readonly content: ContentRef;
  /** Absolute; created by the store (mode 0600), must not exist; its folder must. */
  readonly path: string;
  /** Leave holes where the content has long runs of zeros. */
  readonly sparse?: boolean;
  /**
   * A file that may have much of the content at the same places (the one that this one will replace). It is only read,
   * and may change meanwhile.
   */
  readonly base?: string;
  /** Owner, mode and time that it is to have: given while it is written, as far as that is possible. */
  readonly look?: FileLook;
}

export interface FilesWritten {
  /** Paths of files that were to have a look and may not have it, or may have extended attributes. */
  readonly undressed: ReadonlySet<string>;
}

export interface ListManifests {
  /** Snapshots of targets, entries of components, or whatever refers to content. @default "snapshots" */
  readonly kind?: "snapshots" | "entries" | "all";
}

export interface ManifestsRead {
  readonly snapshots: readonly SnapshotManifest[];
  /** Names of the manifests that cannot be read. */
  readonly damaged: readonly string[];
}

export interface StoreReader {
  /** As shown to people; never holds a secret. */
  readonly location: string;
  /** All snapshots, oldest first. */
  listSnapshots(options?: ListManifests): Promise<ManifestsRead>;
  /**
   * Those whose manifests can be read, about newest first (by when the manifests were last written), and read as they are
   * asked for: who looks for the last one of something need not read thousands.
   */
  recentSnapshots(): AsyncIterable<SnapshotManifest>;
  /** Undefined when there is none with this id. @throws {IntegrityError} its manifest is damaged */
  readSnapshot(id: string): Promise<SnapshotManifest | undefined>;
  /** The whole content. @throws {IntegrityError} */
  readBytes(content: ContentRef, options: { readonly maxBytes: number }): Promise<Uint8Array>;
  /** The content in order, a chunk at a time. */
  readStream(content: ContentRef): ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Writes many files, each pack read once, on both cores. Not durable: the caller syncs what it keeps. */
  writeFiles(files: readonly FileToWrite[], options?: BatchOptions): Promise<FilesWritten>;
}

/** What is in the store: what an earlier snapshot refers to may be lost. */
export interface KnownContent {
  /** Whether all of it is in the store, or was added by the writer. */
  has(content: ContentRef): boolean;
  /** The ids of the packs that hold these, sorted; undefined where a part is in none that the indexes name. */
  packsOf(contents: readonly ContentRef[]): readonly string[] | undefined;
  /** Whether all of these packs are there, and named by an index. */
  hasPacks(ids: readonly string[]): boolean;
}

/** Adds content for one snapshot. Several may be at work at the same time, also of other processes. */
export interface StoreWriter extends AsyncDisposable {
  /** Reads files on both cores, and stores what is not there yet. */
  addFiles(files: readonly FileToStore[], options?: BatchOptions): Promise<readonly StoredFile[]>;
  addBytes(bytes: Uint8Array): Promise<ContentRef>;
  addStream(
    stream: ReadableStream<Uint8Array>,
    options?: { readonly signal?: AbortSignal },
  ): Promise<ContentRef>;
  readonly known: KnownContent;
  /** Compressed bytes that were added so far. */
  readonly storedBytes: number;
  /**
   * Makes everything durable, then the manifest visible.
   * @throws {ConflictError} a snapshot with this id exists
   */
  commit(manifest: SnapshotManifest): Promise<void>;
  /** Makes what was added durable without a manifest: content that another one refers to, and that was lost, is back. */
  putBack(): Promise<void>;
  /** Without a commit: what was added is left to the collection. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** A writer that several targets share. */
export interface SharedStoreWriter extends StoreWriter {
  /** The same writer for one of them: its `storedBytes` are what was added through it alone; ending it ends nothing. */
  share(): StoreWriter;
}

/** What a command that changes the store needs. */
export interface SnapshotStore extends StoreReader, AsyncDisposable {
  /** Begins to write; the store is made when it is not there. */
  write(options?: { readonly signal?: AbortSignal }): Promise<SharedStoreWriter>;
  /** Replaces what people say of a snapshot (pinned, mark, labels, description); its content stays. */
  updateSnapshot(
    id: string,
    change: Partial<Pick<SnapshotManifest, "pinned" | "mark" | "labels" | "description">>,
  ): Promise<SnapshotManifest>;
  /** Removes the manifest; its bytes go with the next collection. No error when it is gone already. */
  deleteSnapshot(id: string): Promise<void>;
  /** Bytes and objects in the store. */
  usage(): Promise<{ readonly bytes: number; readonly packs: number; readonly snapshots: number }>;
}
