/** The driver for a directory. The guarantees are those of `./object_store.ts`; the work is in `filesystem_*.ts`. */
import { throwIfStopped } from "#/core/pace.ts";
import * as posix from "#/core/posix.ts";
import { attempt, lookAt } from "#/core/system_error.ts";
import type { FileRecord } from "#/repository/index_format.ts";
import { copyFiles } from "./copy.ts";
import { exportFiles } from "./export.ts";
import { relocate } from "./move.ts";
import {
  currentKey,
  digestKeys,
  folderWriteProblem,
  freeBytesAt,
  isReadOnly,
  listBelow,
  namesBelow,
  readKey,
  statKey,
} from "./read.ts";
import { removeFiles, removeTree } from "./remove.ts";
import { keepReserve, releaseReserve } from "./reserve.ts";
import {
  commitReplacement,
  placeStaged,
  scratchFolders,
  scratchKeyOf,
  stageFiles,
  stageReplacement,
} from "./stage.ts";
import { FilesystemTree } from "./tree.ts";
import { parentKey, ROOT_SCRATCH, UnsafePathError } from "#/storage/key.ts";
import { attributesOfTarget, createFile, replaceFile, sweepTemporary } from "./write.ts";
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
} from "#/storage/object_store.ts";

/**
 * A repository in a directory.
 *
 * `list("")` and `listNames("")` leave out backout's own folders; name them to see them. A root that does not exist
 * reads as empty and is made by the first write.
 */
export class FilesystemStore implements ObjectStore {
  readonly type = "local";
  readonly location: string;
  readonly capabilities: Capabilities = {
    rename: true,
    permissions: true,
    enforcedConditions: false,
    remote: false,
  };
  readonly #tree: FilesystemTree;

  /**
   * @param root absolute path of the repository; may be a symlink to a folder
   * @param stateDir absolute path of the folder for `.backout` and `.rollback-backups`, the root by default
   */
  constructor(root: string, stateDir?: string) {
    this.location = root;
    this.#tree = new FilesystemTree(root, stateDir);
  }

  isFolder(key: string): Promise<boolean> {
    return Promise.resolve(this.stat(key)?.kind === "folder");
  }

  stat(key: string): ObjectStat | undefined {
    return statKey(this.#tree.guard(), key);
  }

  statMany(keys: readonly ObjectKey[]): Promise<readonly (ObjectStat | undefined)[]> {
    return settle(() => {
      const guard = this.#tree.onlooker();
      return keys.map((key) => typeof key === "string" ? statKey(guard, key) : undefined);
    });
  }

  read(key: string, options: { maxBytes: number }): Promise<StoredBytes | undefined> {
    return settle(() => readKey(this.#tree.guard(), key, options.maxBytes));
  }

  async *list(prefix: string): AsyncGenerator<ObjectStat> {
    yield* await listBelow(this.#tree, prefix); // all of them, since they are sorted across folders
  }

  listNames(prefix: string): Promise<readonly string[]> {
    return settle(() => namesBelow(this.#tree, prefix));
  }

  async digest(keys: readonly ObjectKey[], options: BatchOptions = {}): Promise<readonly DigestedObject[]> {
    return await digestKeys(this.#tree, keys.map(currentKey), options);
  }

  async haveBytes(
    files: readonly Pick<FileRecord, "path" | "size" | "sha256">[],
    options: BatchOptions = {},
  ): Promise<readonly boolean[]> {
    const stats = await this.statMany(files.map((file) => file.path));
    const alike = files.filter((file, i) => stats[i]?.kind === "file" && stats[i].size === file.size);
    const digests = await this.digest(alike.map((file) => file.path), options);
    const same = new Set(alike.filter((file, i) => digests[i]!.sha256 === file.sha256));
    return files.map((file) => same.has(file));
  }

  async exportFiles(
    files: readonly { readonly key: ObjectKey; readonly path: string; readonly mode: number }[],
    options: BatchOptions = {},
  ): Promise<void> {
    await exportFiles(this.#tree, files.map((file) => ({ ...file, key: currentKey(file.key) })), options);
  }

  keepsVersions(): Promise<boolean> {
    return Promise.resolve(false);
  }

  probeConditions(): Promise<boolean | null> {
    return Promise.resolve(null);
  }

  freeBytes(): number | null {
    return freeBytesAt(this.#tree.stateRoot);
  }

  writeProblem(key: string): string | undefined {
    try {
      const path = this.#tree.guard().resolve(key);
      const isTop = !key.includes("/"); // looked at once, not for every artifact
      if (isTop && isReadOnly(path)) return `the filesystem of ${this.#tree.root} is read-only`;
      return folderWriteProblem(path);
    } catch (error) {
      if (error instanceof UnsafePathError) return error.message;
      throw error;
    }
  }

  create(key: string, bytes: Uint8Array): Promise<void> {
    return settle(() => {
      const path = this.#tree.guard().resolve(key);
      this.#tree.makeFolder(parentKey(key), true);
      createFile(this.#tree, path, bytes, this.#tree.newFile(key));
    });
  }

  replace(key: string, bytes: Uint8Array): Promise<void> {
    return settle(() => {
      const path = this.#tree.guard().resolve(key);
      this.#tree.makeFolder(parentKey(key), true);
      replaceFile(this.#tree, path, bytes, attributesOfTarget(path, this.#tree.newFile(key)));
    });
  }

  stage(operation: string, name: string, key: string, bytes: Uint8Array): Promise<void> {
    return settle(() => stageReplacement(this.#tree, operation, name, key, bytes));
  }

  hasStaged(operation: string, name: string): Promise<boolean> {
    return settle(() => this.stat(this.scratchKey(operation, name))?.kind === "file");
  }

  commitStaged(operation: string, name: string, key: string, ifTag: string | null): Promise<void> {
    return settle(() => commitReplacement(this.#tree, operation, name, key, ifTag));
  }

  async addFiles(
    operation: string,
    files: readonly StagedFile[],
    options: AddOptions = {},
  ): Promise<ReadonlyMap<string, string>> {
    await this.stageFiles(operation, files, options);
    throwIfStopped(options.signal);
    await options.beforePlacing?.();
    await this.placeStaged(operation, files.map((file) => file.record));
    return new Map();
  }

  /** Copies files into this operation's scratch, durably, and checks their digests. */
  stageFiles(operation: string, files: readonly StagedFile[], options: BatchOptions = {}): Promise<void> {
    return stageFiles(this.#tree, operation, files, options);
  }

  /** Moves staged files to their keys. A key that exists already with the same bytes is left alone. */
  placeStaged(operation: string, files: readonly FileRecord[]): Promise<void> {
    return placeStaged(this.#tree, operation, files);
  }

  copyFiles(
    copies: readonly { from: string; to: string; sha256: string | null }[],
    options: BatchOptions = {},
  ): Promise<void> {
    return copyFiles(this.#tree, copies, options);
  }

  moveFiles(moves: readonly Move[], options: BatchOptions = {}): Promise<readonly string[]> {
    return relocate(this.#tree, moves, { ...options, prune: true });
  }

  removeFiles(keys: readonly string[], options: BatchOptions = {}): Promise<void> {
    return removeFiles(this.#tree, keys, options);
  }

  removeTree(prefix: string): Promise<void> {
    return removeTree(this.#tree, prefix);
  }

  /** What a call here does is done when it returns. */
  settle(): Promise<void> {
    return Promise.resolve();
  }

  flush(): Promise<void> {
    return settle(() => {
      const { touched } = this.#tree;
      for (const folder of touched) {
        const isBase = folder === this.#tree.root || folder === this.#tree.stateRoot; // may be a symlink
        if (isBase || lookAt(folder)?.isDirectory === true) {
          attempt("write to", folder, () => posix.syncFolder(folder));
        }
        touched.delete(folder);
      }
    });
  }

  scratchKey(operation: string, name: string): string {
    return scratchKeyOf(this.#tree, operation, name);
  }

  async removeScratch(operation: string): Promise<void> {
    for (const folder of scratchFolders(this.#tree, operation)) await removeTree(this.#tree, folder);
    await this.#removeRootScratchIfUnused();
  }

  async removeLeftovers(): Promise<void> {
    sweepTemporary(this.#tree);
    await this.#removeRootScratchIfUnused();
  }

  releaseReserve(): Promise<boolean> {
    return settle(() => releaseReserve(this.#tree));
  }

  keepReserve(bytes: number): Promise<void> {
    return settle(() => keepReserve(this.#tree, bytes));
  }

  /** `.backout-scratch` stands in the published tree: it goes as soon as no operation needs it. */
  async #removeRootScratchIfUnused(): Promise<void> {
    const names = await this.listNames(ROOT_SCRATCH);
    if (names.some((name) => name !== "tmp")) return;
    if (names.length > 0 && (await this.listNames(`${ROOT_SCRATCH}/tmp`)).length > 0) return;
    await removeTree(this.#tree, ROOT_SCRATCH);
  }
}

/** Synchronous work behind an asynchronous port: throws become rejections. */
function settle<T>(work: () => T): Promise<T> {
  return new Promise((resolve) => resolve(work()));
}
