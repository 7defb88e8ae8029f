/**
 * A snapshot store in a folder. Folders are 0700 and files 0600: a store has the bytes of files that not everybody may
 * read. Every file appears whole, under its name for one creator only, and is durable when the call returns.
 */
import * as fs from "node:fs";
import { basename, dirname } from "node:path";
import { IntegrityError } from "#/core/errors.ts";
import * as posix from "#/core/posix.ts";
import { attempt, lookAt } from "#/core/system_error.ts";
import { ConflictError } from "#/storage/object_store.ts";
import type { StoreBackend } from "./backend.ts";
import { assertStoreName, SCRATCH_FOLDER } from "./backend_name.ts";
import { makeDurableFolder, resolveStoreRoot } from "./backend_root.ts";

const FILE_MODE = 0o600;
const OPEN_FLAGS = fs.constants.O_RDONLY | (fs.constants.O_NOFOLLOW ?? 0) |
  (fs.constants.O_NONBLOCK ?? 0); // a pipe is not waited for
const LINK_UNSUPPORTED: ReadonlySet<string> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

/**
 * Opens the store's folder; nothing is made before the first call that writes.
 * @param path absolute
 * @throws {StorageError} the folder is another user's, others may write to it, or it is no folder
 */
export function openFolderBackend(path: string): StoreBackend {
  return new FolderBackend(path);
}

class FolderBackend implements StoreBackend {
  readonly location: string;
  readonly remote = false;
  readonly #given: string;
  #root: string;
  #checked = false;
  /** Folders below the root that were seen to be folders, and whose names are durable. */
  readonly #known = new Set<string>();

  constructor(path: string) {
    this.location = path;
    this.#given = path;
    this.#root = path;
    this.#look();
  }

  read(
    name: string,
    range?: { readonly offset: number; readonly length: number },
  ): Promise<Uint8Array | undefined> {
    return settled(() => {
      const path = this.#pathToRead(name);
      return path === undefined ? undefined : attempt("read", path, () => readFile(path, range));
    });
  }

  size(name: string): Promise<number | undefined> {
    return settled(() => {
      const path = this.#pathToRead(name);
      const info = path === undefined ? undefined : lookAt(path);
      return info?.isFile === true ? info.size : undefined;
    });
  }

  async *list(
    folder: string,
  ): AsyncGenerator<{ readonly name: string; readonly size: number; readonly modified: number }, void> {
    assertStoreName(folder);
    if (!this.#look()) return;
    await Promise.resolve();
    for (const name of filesBelow(this.#root, folder).sort()) {
      const info = lookAt(`${this.#root}/${name}`);
      if (info?.isFile !== true) continue; // removed just now
      yield { name, size: info.size, modified: info.mtime?.getTime() ?? 0 };
    }
  }

  create(name: string, bytes: Uint8Array): Promise<void> {
    return settled(() => {
      const path = this.#pathToWrite(name);
      if (lookAt(path) !== undefined) throw existsAlready(path);
      this.#withTemporary(bytes, path, (temporary) => moveToNew(temporary, path));
    });
  }

  replace(name: string, bytes: Uint8Array): Promise<void> {
    return settled(() => {
      const path = this.#pathToWrite(name);
      this.#withTemporary(bytes, path, (temporary) => {
        attempt("replace", path, () => posix.rename(temporary, path));
      });
    });
  }

  async adopt(name: string, localPath: string): Promise<void> {
    const path = this.#pathToWrite(name);
    const failed = await posix.syncFiles([localPath]);
    if (failed !== undefined) {
      attempt("write", localPath, () => {
        throw failed.error;
      });
    }
    attempt("write", localPath, () => posix.chmod(localPath, FILE_MODE));
    moveToNew(localPath, path);
    attempt("create", path, () => posix.syncFolder(dirname(path)));
  }

  scratch(): Promise<string> {
    return settled(() => this.#folder(SCRATCH_FOLDER));
  }

  localPath(name: string): string | undefined {
    assertStoreName(name);
    return `${this.#root}/${name}`;
  }

  remove(names: readonly string[]): Promise<void> {
    return settled(() => {
      const folders = new Set<string>();
      for (const name of names) {
        const path = this.#pathToRead(name);
        if (path !== undefined && removeIfThere(path)) folders.add(dirname(path));
      }
      for (const folder of folders) attempt("remove from", folder, () => posix.syncFolder(folder));
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  /** Checks the root once it is there. False when it is not. */
  #look(): boolean {
    if (this.#checked) return true;
    const root = resolveStoreRoot(this.#given);
    if (root === undefined) return false;
    this.#root = root;
    this.#checked = true;
    return true;
  }

  /** Undefined when the store is not there. Folders on the way are not followed where they are symlinks. */
  #pathToRead(name: string): string | undefined {
    assertStoreName(name);
    if (!this.#look()) return undefined;
    const folder = dirname(name);
    if (folder !== "." && !this.#isFolder(folder)) return undefined;
    return `${this.#root}/${name}`;
  }

  #isFolder(folder: string): boolean {
    if (this.#known.has(folder)) return true;
    const above = dirname(folder);
    if (above !== "." && !this.#isFolder(above)) return false;
    return lookAt(`${this.#root}/${folder}`)?.isDirectory === true;
  }

  #pathToWrite(name: string): string {
    assertStoreName(name);
    const folder = dirname(name);
    return `${folder === "." ? this.#madeRoot() : this.#folder(folder)}/${basename(name)}`;
  }

  #madeRoot(): string {
    if (!this.#look()) {
      makeDurableFolder(this.#given);
      this.#look();
    }
    return this.#root;
  }

  /** Makes a folder and those above it, durably. */
  #folder(folder: string): string {
    const path = `${this.#madeRoot()}/${folder}`;
    if (this.#known.has(folder)) return path;
    const above = dirname(folder);
    if (above !== ".") this.#folder(above);
    makeDurableFolder(path);
    this.#known.add(folder);
    return path;
  }

  #withTemporary(bytes: Uint8Array, path: string, use: (temporary: string) => void): void {
    const temporary = `${this.#folder(SCRATCH_FOLDER)}/${crypto.randomUUID()}.tmp`;
    try {
      attempt("write", path, () => posix.writeNewFile(temporary, bytes, FILE_MODE));
      use(temporary);
    } catch (error) {
      if (posix.lstat(temporary) !== undefined) removeIfThere(temporary);
      throw error;
    }
    attempt("write", path, () => posix.syncFolder(dirname(path)));
  }
}

/** Gives a finished file its name, which nothing may have. */
function moveToNew(from: string, to: string): void {
  try {
    posix.link(from, to);
  } catch (error) {
    const code = posix.errorCode(error);
    if (code === "EEXIST") throw existsAlready(to, error);
    if (code === undefined || !LINK_UNSUPPORTED.has(code)) {
      attempt("create", to, () => {
        throw error;
      });
    }
    // No hard links here. Names are unique or depend on the content, so nobody else makes this one meanwhile.
    if (lookAt(to) !== undefined) throw existsAlready(to, error);
    attempt("create", to, () => posix.rename(from, to));
    return;
  }
  removeIfThere(from);
}

function readFile(
  path: string,
  range: { readonly offset: number; readonly length: number } | undefined,
): Uint8Array | undefined {
  const file = openIfThere(path);
  if (file === undefined) return undefined;
  try {
    const info = fs.fstatSync(file);
    if (!info.isFile()) {
      throw new IntegrityError(`The snapshot store is damaged: ${path} is no file`, {
        hint: "Put the file back from a copy of the store.",
        context: { path },
      });
    }
    const { size } = info;
    const offset = range?.offset ?? 0;
    const bytes = new Uint8Array(Math.max(0, Math.min(range?.length ?? size, size - offset)));
    let done = 0;
    while (done < bytes.length) {
      const got = fs.readSync(file, bytes, done, bytes.length - done, offset + done);
      if (got === 0) return bytes.subarray(0, done);
      done += got;
    }
    return bytes;
  } finally {
    fs.closeSync(file);
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return fs.openSync(path, OPEN_FLAGS);
  } catch (error) {
    if (posix.errorCode(error) === "ENOENT" || posix.errorCode(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

/** Names of everything below a folder that is no folder; a symlink is not followed. */
function filesBelow(root: string, folder: string): string[] {
  const path = `${root}/${folder}`;
  if (lookAt(path)?.isDirectory !== true) return [];
  const names: string[] = [];
  for (const entry of attempt("list", path, () => posix.readFolder(path)) ?? []) {
    const name = `${folder}/${entry.name}`;
    if (entry.isDirectory) names.push(...filesBelow(root, name));
    else names.push(name);
  }
  return names;
}

/** True when it was there. */
function removeIfThere(path: string): boolean {
  return attempt("remove", path, () => {
    try {
      posix.unlink(path);
      return true;
    } catch (error) {
      if (posix.errorCode(error) === "ENOENT") return false;
      throw error;
    }
  });
}

function existsAlready(path: string, cause?: unknown): ConflictError {
  return new ConflictError(`Cannot create ${path}: it exists already`, { context: { path }, cause });
}

/** The port is asynchronous; here the work is a few system calls. */
function settled<T>(work: () => T): Promise<T> {
  return Promise.resolve().then(work);
}
