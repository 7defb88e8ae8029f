/** The port of the engine over a bucket, whichever service has it. The work is in `bucket_*.ts`. */
import { BucketAccess, checkedKey, toStat } from "./access.ts";
import { addFiles, haveBytes } from "./add.ts";
import type { Bucket } from "./bucket.ts";
import { copyFiles } from "./copy.ts";
import { hasSomethingBelow, listBelow, namesBelow } from "./list.ts";
import { lookUp } from "./look_up.ts";
import { moveFiles } from "./move.ts";
import { probeConditions } from "./probe.ts";
import { digestObjects, exportObjects, isVersioned } from "./read.ts";
import { removeFiles, removeTree } from "./remove.ts";
import { commitStaged, createObject, putObject, scratchFolder, scratchKeyOf } from "./stage.ts";
import { mapLimited } from "#/storage/limit.ts";
import type { FileRecord } from "#/repository/index_format.ts";
import type {
  AddOptions,
  BatchOptions,
  Capabilities,
  DigestedObject,
  Move,
  ObjectKey,
  ObjectStat,
  ObjectStore,
  StagedFile,
  StoredBytes,
  VersionedKey,
} from "#/storage/object_store.ts";

export interface BucketStoreOptions {
  /** Requests in flight at most. */
  readonly jobs: number;
  /** See `ObjectStore.settle`. @default nothing has to be waited for */
  readonly settle?: () => Promise<void>;
}

/**
 * A repository in a bucket.
 *
 * There are no folders in it: `stat` and `statMany` tell of objects only. Keys that
 * are no plain path (others may have written `a//b`) are neither shown nor acted on. `list("")` and `listNames("")`
 * leave out backout's own folders; name them to see them.
 */
export class BucketStore implements ObjectStore {
  readonly type: Bucket["type"];
  readonly location: string;
  readonly capabilities: Capabilities = {
    rename: false,
    permissions: false,
    enforcedConditions: true,
    remote: true,
  };
  readonly #access: BucketAccess;
  readonly #settle: () => Promise<void>;

  constructor(bucket: Bucket, options: BucketStoreOptions) {
    this.#settle = options.settle ?? (() => Promise.resolve());
    this.type = bucket.type;
    this.location = bucket.location;
    this.#access = new BucketAccess(bucket, options.jobs);
  }

  async stat(key: string): Promise<ObjectStat | undefined> {
    const object = await this.#access.bucket.head(checkedKey(key));
    return object === undefined ? undefined : toStat(object);
  }

  async isFolder(key: string): Promise<boolean> {
    return key === "" || await hasSomethingBelow(this.#access, checkedKey(key));
  }

  async statMany(keys: readonly ObjectKey[]): Promise<readonly (ObjectStat | undefined)[]> {
    const access = this.#access;
    const current = keys.filter((key): key is string => !isVersioned(key));
    const versions = current.length > 0 && await access.keepsVersions();
    const found = await lookUp(access, current, { versions });
    const older = new Map<VersionedKey, ObjectStat>();
    await mapLimited(keys.filter(isVersioned), access.jobs, async (key) => {
      const object = await access.bucket.head(checkedKey(key.key), { versionId: key.versionId });
      if (object !== undefined) older.set(key, toStat(object));
    });
    return keys.map((key) => {
      if (isVersioned(key)) return older.get(key);
      const object = found.get(key);
      return object === undefined ? undefined : toStat(object);
    });
  }

  async read(key: string, options: { maxBytes: number }): Promise<StoredBytes | undefined> {
    const read = await this.#access.bucket.get(checkedKey(key), options);
    return read === undefined ? undefined : { bytes: read.bytes, tag: read.object.tag };
  }

  list(prefix: string): AsyncIterable<ObjectStat> {
    return listBelow(this.#access, prefix);
  }

  async listNames(prefix: string): Promise<readonly string[]> {
    return await namesBelow(this.#access, prefix);
  }

  async digest(keys: readonly ObjectKey[], options: BatchOptions = {}): Promise<readonly DigestedObject[]> {
    return await digestObjects(this.#access, keys, options);
  }

  async haveBytes(
    files: readonly Pick<FileRecord, "path" | "size" | "sha256">[],
    options: BatchOptions = {},
  ): Promise<readonly boolean[]> {
    return await haveBytes(this.#access, files, options);
  }

  async exportFiles(
    files: readonly { readonly key: ObjectKey; readonly path: string; readonly mode: number }[],
    options: BatchOptions = {},
  ): Promise<void> {
    await exportObjects(this.#access, files, options);
  }

  /** A bucket has no end. */
  freeBytes(): null {
    return null;
  }

  scratchKey(operation: string, name: string): string {
    return scratchKeyOf(operation, name);
  }

  /** Only trying tells. */
  writeProblem(_key: string): undefined {
    return undefined;
  }

  keepsVersions(): Promise<boolean> {
    return this.#access.keepsVersions();
  }

  async create(key: string, bytes: Uint8Array): Promise<void> {
    await createObject(this.#access, key, bytes);
  }

  async replace(key: string, bytes: Uint8Array): Promise<void> {
    await putObject(this.#access, key, bytes);
  }

  async stage(operation: string, name: string, key: string, bytes: Uint8Array): Promise<void> {
    checkedKey(key);
    await putObject(this.#access, scratchKeyOf(operation, name), bytes);
  }

  async hasStaged(operation: string, name: string): Promise<boolean> {
    return await this.#access.bucket.head(scratchKeyOf(operation, name)) !== undefined;
  }

  async commitStaged(operation: string, name: string, key: string, ifTag: string | null): Promise<void> {
    await commitStaged(this.#access, operation, name, key, ifTag);
  }

  async addFiles(
    _operation: string,
    files: readonly StagedFile[],
    options: AddOptions = {},
  ): Promise<ReadonlyMap<string, string>> {
    return await addFiles(this.#access, files, options);
  }

  async copyFiles(
    copies: readonly { from: string; to: string; sha256: string | null }[],
    options: BatchOptions = {},
  ): Promise<void> {
    await copyFiles(this.#access, copies, options);
  }

  async moveFiles(moves: readonly Move[], options: BatchOptions = {}): Promise<readonly string[]> {
    return await moveFiles(this.#access, moves, options);
  }

  async removeFiles(keys: readonly string[], options: BatchOptions = {}): Promise<void> {
    await removeFiles(this.#access, keys, options);
  }

  async removeTree(prefix: string): Promise<void> {
    await removeTree(this.#access, prefix);
  }

  /** What the service has answered is durable. */
  flush(): Promise<void> {
    return Promise.resolve();
  }

  settle(): Promise<void> {
    return this.#settle();
  }

  async removeScratch(operation: string): Promise<void> {
    await removeTree(this.#access, scratchFolder(operation));
  }

  /** Nothing is written under a temporary name. */
  removeLeftovers(): Promise<void> {
    return Promise.resolve();
  }

  /** A full bucket is not a thing: nothing is set aside. */
  releaseReserve(): Promise<boolean> {
    return Promise.resolve(false);
  }

  keepReserve(_bytes: number): Promise<void> {
    return Promise.resolve();
  }

  async probeConditions(operation?: string): Promise<boolean> {
    return await probeConditions(this.#access, operation);
  }
}
