/**
 * The port behind which bytes live: a directory now, buckets later. One file per driver.
 *
 * Keys are slash-separated paths from the repository's root, already checked by `#/core/safe_path.ts`; a driver still
 * refuses to follow a symlink on the way. What every driver guarantees:
 *
 * - read after write: what a call wrote, the next call of any process sees;
 * - no partial reads: `create`, `replace` and `commitStaged` are seen whole or not at all, also after a power loss;
 * - a call that returns has made its change durable, except `moveFiles`, `removeFiles` and `addFiles`, which are
 *   durable after the next `flush`;
 * - removing what is not there is not an error, so that a step can be done again after a crash.
 *
 * Errors: `StorageError` when the storage cannot be reached or refuses; `ConflictError` when a condition does not hold.
 */
import { StorageError } from "#/core/errors.ts";
import type { FileRecord } from "#/repository/index_format.ts";

export type StorageType = "local" | "s3" | "gcs";

/** A condition of a conditional write did not hold: somebody else was there first. */
export class ConflictError extends StorageError {
  override readonly kind: string = "conflict";
}

/** What is known of an object without reading it. */
export interface ObjectStat {
  readonly key: string;
  readonly kind: "file" | "folder" | "symlink" | "other";
  readonly size: number;
  /** Permission bits; 0 where the storage has none. */
  readonly mode: number;
  readonly uid: number | null;
  readonly gid: number | null;
  /** RFC 3339 with milliseconds, null where unknown. */
  readonly mtime: string | null;
  /** Changes whenever the object is replaced or written; never compared across drivers. */
  readonly tag: string;
  /** False where a move into a backup would have to copy: another device, several links to the file, object storage. @default true */
  readonly movable?: boolean;
  /** The storage's own word for the bytes (`etag:…`, `crc32c:…`): equal for equal bytes. Undefined where it has none. */
  readonly contentTag?: string;
  /** Names this very version of the object, where the storage keeps older ones. */
  readonly versionId?: string;
}

/** An older version of an object, where the storage keeps them (`keepsVersions`). */
export interface VersionedKey {
  readonly key: string;
  readonly versionId: string;
}

/** An object as it is now, by its key, or one of its versions. */
export type ObjectKey = string | VersionedKey;

export interface StoredBytes {
  readonly bytes: Uint8Array;
  /** Pass it to `commitStaged` to replace exactly what was read. */
  readonly tag: string;
}

export interface DigestedObject {
  readonly key: string;
  readonly size: number;
  readonly sha256: string;
  /** The stat that held before and after reading; a change in between is an error. */
  readonly stat: ObjectStat;
}

export interface Move {
  readonly from: string;
  readonly to: string;
  /** What was seen at `from`; a difference after the move is reported, not ignored. */
  readonly expected: ObjectStat;
}

export interface BatchOptions {
  readonly signal?: AbortSignal;
  /** Called with the bytes or files finished so far. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface Capabilities {
  /** Moving an object copies nothing. */
  readonly rename: boolean;
  /** Permission bits and owners are kept. */
  readonly permissions: boolean;
  /** Conditional writes exclude a foreign writer; where false they only notice one. */
  readonly enforcedConditions: boolean;
  /** Reading an object brings its bytes over a network: what the storage itself can tell is preferred. */
  readonly remote: boolean;
}

/** What reading needs. */
export interface ObjectReader {
  readonly type: StorageType;
  /** As shown to people; never holds a secret. */
  readonly location: string;
  readonly capabilities: Capabilities;
  /** Undefined when nothing is there. Never follows a symlink. Where there are no folders, of objects only. */
  stat(key: string): ObjectStat | undefined | Promise<ObjectStat | undefined>;
  /** Whether it is a folder, or the beginning of other keys where there are no folders. */
  isFolder(key: string): Promise<boolean>;
  /** In the order of `keys`. */
  statMany(keys: readonly ObjectKey[]): Promise<readonly (ObjectStat | undefined)[]>;
  /** The whole object, undefined when there is none. @throws {StorageError} when it is larger than `maxBytes` */
  read(key: string, options: { maxBytes: number }): Promise<StoredBytes | undefined>;
  /** All files below `prefix` (a folder, no slash at the end), sorted by key. Symlinks and devices are listed, not followed. */
  list(prefix: string): AsyncIterable<ObjectStat>;
  /** Names directly below `prefix`, sorted. */
  listNames(prefix: string): Promise<readonly string[]>;
  /** SHA-256 of each object, read on both cores. In the order of `keys`. */
  digest(keys: readonly ObjectKey[], options?: BatchOptions): Promise<readonly DigestedObject[]>;
  /**
   * Which of these files are there with the bytes of their records; in their order. They are read, unless the storage
   * noted a digest when they were written.
   */
  haveBytes(
    files: readonly Pick<FileRecord, "path" | "size" | "sha256">[],
    options?: BatchOptions,
  ): Promise<readonly boolean[]>;
  /**
   * Copies objects to new files outside the storage (folders are made, nothing is overwritten, no byte is shared);
   * never follows a symlink in the storage. Not durable: for drills and exports.
   */
  exportFiles(
    files: readonly { readonly key: ObjectKey; readonly path: string; readonly mode: number }[],
    options?: BatchOptions,
  ): Promise<void>;
  /** Bytes that can still be written, null where that has no meaning. */
  freeBytes(): number | null;
  /** A place of an operation's own beside the artifacts, where a move needs no copying. Removed by `removeScratch`. */
  scratchKey(operation: string, name: string): string;
  /** Why `key` could not be replaced or removed by this user, undefined when it could or only trying tells. */
  writeProblem(key: string): string | undefined;
  /** Whether older versions of an object stay when it is replaced or removed. */
  keepsVersions(): Promise<boolean>;
}

/** What a changing operation needs. */
export interface ObjectStore extends ObjectReader {
  /** Creates `key` with these bytes, durably. @throws {ConflictError} when it exists */
  create(key: string, bytes: Uint8Array): Promise<void>;
  /** Creates or replaces `key`, atomically and durably. */
  replace(key: string, bytes: Uint8Array): Promise<void>;
  /**
   * Prepares a replacement of `key`, durably and unseen, under a name of this operation, so that `commitStaged`
   * needs neither space nor thought. Doing it again with the same name replaces it.
   */
  stage(operation: string, name: string, key: string, bytes: Uint8Array): Promise<void>;
  /** True while a staged replacement is neither committed nor dropped. */
  hasStaged(operation: string, name: string): Promise<boolean>;
  /**
   * Makes the staged bytes the object `key`, in one atomic, durable step.
   * @param ifTag the tag of what is replaced (from `read`), null when nothing may be there
   * @throws {ConflictError} when something else is there now
   */
  commitStaged(operation: string, name: string, key: string, ifTag: string | null): Promise<void>;
  /**
   * Puts files of another place at their keys, whole and with the bytes of their records. A key that has the same bytes
   * already is left alone, so that it can be done again; other bytes are a `ConflictError`.
   * @returns the content tags of the files by path, or their tags where they have none; empty on a filesystem
   * @throws {RollbackBackupError} a source does not have the bytes of its record
   */
  addFiles(
    operation: string,
    files: readonly StagedFile[],
    options?: AddOptions,
  ): Promise<ReadonlyMap<string, string>>;
  /** Copies objects within the storage, durably and byte-checked. An existing equal target is left alone. */
  copyFiles(
    copies: readonly { from: string; to: string; sha256: string | null }[],
    options?: BatchOptions,
  ): Promise<void>;
  /**
   * Moves files within the storage; a folder that holds nothing else moves as one. What is no longer at `from` but at
   * `to` counts as moved. Folders that became empty are removed.
   * @returns the keys that were found changed against `expected`
   */
  moveFiles(moves: readonly Move[], options?: BatchOptions): Promise<readonly string[]>;
  /** Removes files and the folders that became empty. */
  removeFiles(keys: readonly string[], options?: BatchOptions): Promise<void>;
  /** Removes everything below `prefix`. Never follows a symlink. */
  removeTree(prefix: string): Promise<void>;
  /** Makes all moves, removals and placements since the last flush durable. */
  flush(): Promise<void>;
  /**
   * Waits until no change that this process gave up waiting for can take effect any more. At once where none was, and on a
   * filesystem.
   */
  settle(): Promise<void>;
  removeScratch(operation: string): Promise<void>;
  /** Removes temporary files that a dead process left. Called under the lock, after a recovery. */
  removeLeftovers(): Promise<void>;
  /** Gives up the space that was set aside for the journal. True when there was any. */
  releaseReserve(): Promise<boolean>;
  /**
   * Tries with an object of its own whether the storage honours the conditions of writes. Null where that is not a matter
   * of the server (a filesystem).
   * @param operation who asks under the lock: the object is among what is its own, so that recovery removes it too
   */
  probeConditions(operation?: string): Promise<boolean | null>;
  /** Sets aside at least `bytes` for the journal of a rollback on a full disk. Never fails an operation. */
  keepReserve(bytes: number): Promise<void>;
}

export interface AddOptions extends BatchOptions {
  /** Called when the sources are checked, before the first file appears at its key; throwing stops. */
  readonly beforePlacing?: () => Promise<void>;
}

/** A file from outside (or from a backup) that becomes an artifact. */
export interface StagedFile {
  readonly record: FileRecord;
  /** A path of the local filesystem, or a key of this storage (an older version of it, where one is named). */
  readonly source: { readonly path: string } | { readonly key: string } | VersionedKey;
  /** What the storage said of bytes that are known to be the record's; where it still says so, they are not read. */
  readonly contentTag?: string;
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** RFC 3339; kept on the new file. */
  readonly mtime?: string;
}
