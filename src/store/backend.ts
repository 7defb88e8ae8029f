import type { Bucket, ByteRange } from "#/storage/bucket/bucket.ts";
import type { Lease } from "#/storage/lease/lease.ts";

export interface FilePart extends ByteRange {
  /** How many bytes of this file are read in all, where that is known: what is far away is then fetched at once. */
  readonly inAll?: number;
}

/**
 * Where a snapshot store's files lie: a folder, or a prefix of a bucket. Names are slash-separated, made by the store
 * itself (`packs/ab/abcdef….pack`), never by a user. Files are immutable but for `replace`.
 */
export interface StoreBackend extends AsyncDisposable {
  /** As shown to people. */
  readonly location: string;
  /** True where reading brings bytes over a network. */
  readonly remote: boolean;
  /** The file, or a part of it (what of it the file has). Undefined when there is no such file. */
  read(name: string, part?: FilePart): Promise<Uint8Array | undefined>;
  /** Size in bytes; undefined when there is no such file. */
  size(name: string): Promise<number | undefined>;
  /** Names and sizes below a folder, sorted by name; modified in milliseconds since the epoch. */
  list(
    folder: string,
  ): AsyncIterable<{ readonly name: string; readonly size: number; readonly modified: number }>;
  /** Creates a file whole and durably. @throws {ConflictError} when it exists */
  create(name: string, bytes: Uint8Array): Promise<void>;
  /** Creates or replaces a file, atomically and durably. */
  replace(name: string, bytes: Uint8Array): Promise<void>;
  /** Makes a finished local file (of the backend's own scratch folder) the file `name`, durably; the local file is gone after. */
  adopt(name: string, localPath: string): Promise<void>;
  /** A local folder for packs that are being written; on the same filesystem where the backend is a folder. */
  scratch(): Promise<string>;
  /** The path of a file where the backend is a folder, so that workers can read it themselves; undefined elsewhere. */
  localPath(name: string): string | undefined;
  /** No error for what is not there. */
  remove(names: readonly string[]): Promise<void>;
  /** Where the lock's objects are kept, on object storage; in a folder it is a file at `localPath`. */
  readonly lockPlace?: StoreLockPlace;
}

/** What the lock of a store in a bucket needs. */
export interface StoreLockPlace {
  /** With retries, not limited by the lease. */
  readonly bucket: Bucket;
  /** What is held: it limits all changes of the backend. */
  readonly lease: Lease;
  /** How long a holder may be silent, in milliseconds. */
  readonly leaseMs: number;
  /** How long one request may be under way, in milliseconds. */
  readonly requestMs: number;
}
