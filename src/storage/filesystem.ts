/** The driver for a directory. The guarantees are those of `./object_store.ts`; the work is in `filesystem_*.ts`. */
import * as posix from "#/core/posix.ts";
import { attempt, lookAt } from "#/core/system_error.ts";
import type { FileRecord } from "#/repository/index_format.ts";
import { copyFiles } from "./filesystem_copy.ts";
import { exportFiles } from "./filesystem_export.ts";
import { relocate } from "./filesystem_move.ts";
import {
  digestKeys,
  folderWriteProblem,
  freeBytesAt,
  isReadOnly,
  listBelow,
  namesBelow,
  readKey,
  statKey,
} from "./filesystem_read.ts";
import { removeFiles, removeTree } from "./filesystem_remove.ts";
import { keepReserve, releaseReserve } from "./filesystem_reserve.ts";
import {
  commitReplacement,
  placeStaged,
  scratchFolders,
  scratchKeyOf,
  stageFiles,
  stageReplacement,
} from "./filesystem_stage.ts";
import { FilesystemTree, parentKey, ROOT_SCRATCH, UnsafePathError } from "./filesystem_tree.ts";
import { attributesOfTarget, createFile, replaceFile, sweepTemporary } from "./filesystem_write.ts";
import type {
  BatchOptions,
  Capabilities,
  DigestedObject,
  Move,
  ObjectStat,
  ObjectStore,
  StagedFile,
  StoredBytes,
} from "./object_store.ts";

/**
 * A repository in a directory.
 *
 * `list("")` and `listNames("")` leave out backout's own folders; name them to see them. A root that does not exist
 * reads as empty and is made by the first write.
 */
export class FilesystemStore implements ObjectStore {
  readonly type = "local";
  readonly location: string;
  readonly capabilities: Capabilities = { rename: true, permissions: true, enforcedConditions: false };
  readonly #tree: FilesystemTree;

  /**
   * @param root absolute path of the repository; may be a symlink to a folder
   * @param stateDir absolute path of the folder for `.backout` and `.rollback-backups`, the root by default
   */
  constructor(root: string, stateDir?: string) {
    this.location = root;
    this.#tree = new FilesystemTree(root, stateDir);
  }

  stat(key: string): ObjectStat | undefined {
    return statKey(this.#tree.guard(), key);
  }

  statMany(keys: readonly string[]): Promise<readonly (ObjectStat | undefined)[]> {
    return settle(() => {
      const guard = this.#tree.guard();
      return keys.map((key) => statKey(guard, key));
    });
  }

  read(key: string, options: { maxBytes: number }): Promise<StoredBytes | undefined> {
    return settle(() => readKey(this.#tree.guard(), key, options.maxBytes));
  }

  list(prefix: string): Promise<readonly ObjectStat[]> {
    return listBelow(this.#tree, prefix);
  }

  listNames(prefix: string): Promise<readonly string[]> {
    return settle(() => namesBelow(this.#tree, prefix));
  }

  digest(keys: readonly string[], options: BatchOptions = {}): Promise<readonly DigestedObject[]> {
    return digestKeys(this.#tree, keys, options);
  }

  exportFiles(
    files: readonly { readonly key: string; readonly path: string; readonly mode: number }[],
    options: BatchOptions = {},
  ): Promise<void> {
    return exportFiles(this.#tree, files, options);
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

  stageFiles(operation: string, files: readonly StagedFile[], options: BatchOptions = {}): Promise<void> {
    return stageFiles(this.#tree, operation, files, options);
  }

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
