/**
 * Where keys are on disk: the root, the folder of backout's own state, who owns what is created, and the refusal to
 * go through a symlink.
 */
import { basename, dirname, join } from "node:path";
import { whatItIs } from "#/core/digest.ts";
import * as posix from "#/core/posix.ts";
import { attempt, lookAt } from "#/core/system_error.ts";
import {
  firstSegment,
  isOwnFolder,
  isStateKey,
  keyProblem,
  parentKey,
  unsafeKey,
  UnsafePathError,
} from "#/storage/key.ts";

const PRIVATE_MODE = 0o700;

const OPERATIONS = [".backout/operations/", ".backout/target-operations/"];

/** Mode and owner of something to be created. */
export interface Attributes {
  readonly mode: number;
  readonly owner: posix.Owner | undefined;
  /** For users who cannot give files away: the group to keep if they may. */
  readonly group?: number;
}

export class FilesystemTree {
  readonly root: string;
  readonly stateRoot: string;
  /** Folders whose names are not durable yet; `flush` makes them so. */
  readonly touched: Set<string> = new Set();
  /** Copies that were compared byte for byte by this process: the two paths, and what both files were then. */
  readonly checkedCopies: Map<string, string> = new Map();
  readonly #devices = new Map<string, number>();

  /** @param root absolute path; may be a symlink to a folder, and need not exist yet */
  constructor(root: string, stateDir?: string) {
    this.root = root;
    this.stateRoot = stateDir ?? root;
  }

  /** The folder a key is below. */
  baseOf(key: string): string {
    return this.isState(key) ? this.stateRoot : this.root;
  }

  /** True for keys of backout's own files. */
  isState(key: string): boolean {
    return isStateKey(key);
  }

  /** The path of a key; the key's parts are checked, what is on disk is not. @throws {UnsafePathError} */
  path(key: string): string {
    const problem = keyProblem(key);
    if (problem === undefined) return key === "" ? this.root : `${this.baseOf(key)}/${key}`;
    throw unsafeKey(key, problem);
  }

  /** Checks the folders on the way to keys, each once. */
  guard(): PathGuard {
    return new PathGuard(this);
  }

  /** The same for looking at many keys at once, while nothing is made: folders that are missing are looked for once too. */
  onlooker(): PathGuard {
    return new PathGuard(this, new Set());
  }

  /** Owner of the root folder, when we may give files away and it is not us; else undefined. */
  get owner(): posix.Owner | undefined {
    if (!isSuperuser()) return undefined;
    const root = nearestFolder(this.root);
    return root.uid === 0 && root.gid === 0 ? undefined : { uid: root.uid, gid: root.gid };
  }

  /** Mode and owner of a new folder of the published tree: those of the root. */
  get publishedFolder(): Attributes {
    const info = this.rootInfo();
    return { mode: info === undefined ? 0o755 : permissionBits(info), owner: this.owner };
  }

  /** Undefined while the root does not exist. @throws {UnsafePathError} when it is no folder */
  rootInfo(): Deno.FileInfo | undefined {
    const info = statFollowing(this.root);
    if (info === undefined || info.isDirectory) return info;
    throw new UnsafePathError(
      `Cannot use ${this.root} as a repository: it is ${whatItIs(info)}, not a folder`,
    );
  }

  /** Mode and owner of a new file: private in backout's folders, else readable as the root's owner's. */
  newFile(key: string): Attributes {
    return { mode: this.isState(key) ? 0o600 : 0o644, owner: this.#ownerOf(key) };
  }

  /** Mode and owner of a new folder of backout's own. */
  stateFolder(key: string): Attributes {
    return { mode: PRIVATE_MODE, owner: this.#ownerOf(key) };
  }

  /** An operation's own folder belongs to who runs it: that is how recovery knows who wrote its journal. */
  #ownerOf(key: string): posix.Owner | undefined {
    return OPERATIONS.some((prefix) => key.startsWith(prefix)) ? undefined : this.owner;
  }

  /** Number of the filesystem that a path is on, or would be on. */
  deviceOf(path: string): number {
    const known = this.#devices.get(path);
    if (known !== undefined) return known;
    const device = nearestFolder(path).dev;
    if (statFollowing(path) !== undefined) this.#devices.set(path, device);
    return device;
  }

  /**
   * Creates the folder of a key, and what is missing above it (root and state folder too).
   * @param folderKey "" for the root itself
   * @param attributes of the folders created; by default private in backout's folders, else like the root
   * @param durable false leaves it to the next flush
   */
  makeFolder(
    folderKey: string,
    durable: boolean,
    attributes?: (folderKey: string) => Attributes | undefined,
  ): string {
    const path = this.path(folderKey);
    if (lookAt(path)?.isDirectory === true) return path;
    const base = this.baseOf(folderKey);
    this.#makeBase(base, base === this.root ? undefined : PRIVATE_MODE);
    if (folderKey === "") return path;
    let key = "";
    for (const segment of folderKey.split("/")) {
      key = key === "" ? segment : `${key}/${segment}`;
      const own = isOwnFolder(firstSegment(key));
      const wanted = attributes?.(key) ?? (own ? this.stateFolder(key) : this.publishedFolder);
      this.#makeOne(`${base}/${key}`, wanted, durable);
    }
    return path;
  }

  /** Fsyncs a folder now, or at the next flush. */
  touch(folder: string, durable: boolean): void {
    if (durable) attempt("write to", folder, () => posix.syncFolder(folder));
    else this.touched.add(folder);
  }

  #makeBase(path: string, mode: number | undefined): void {
    if (statFollowing(path)?.isDirectory === true) return;
    const parent = dirname(path);
    if (parent !== path) this.#makeBase(parent, undefined);
    this.#makeOne(path, mode === undefined ? undefined : { mode, owner: this.owner }, true);
  }

  #makeOne(path: string, wanted: Attributes | undefined, durable: boolean): void {
    if (lookAt(path)?.isDirectory === true) return;
    attempt("create the folder", path, () => {
      try {
        posix.mkdir(path, wanted?.mode ?? 0o777);
      } catch (error) {
        if (posix.errorCode(error) !== "EEXIST" || lookAt(path)?.isDirectory !== true) throw error;
        return; // another process was faster
      }
      if (wanted !== undefined) applyAttributes(path, wanted);
    });
    this.touch(dirname(path), durable);
  }
}

/** Looks at each folder on the way to a key, once per batch. */
export class PathGuard {
  readonly #tree: FilesystemTree;
  readonly #safe = new Set<string>();
  readonly #missing: Set<string> | undefined;

  /** @param missing where folders that are not there are remembered; by default they are looked for again */
  constructor(tree: FilesystemTree, missing?: Set<string>) {
    this.#tree = tree;
    this.#missing = missing;
  }

  /** The path of a key behind real folders only (or behind ones that do not exist yet). @throws {UnsafePathError} */
  resolve(key: string): string {
    const path = this.#tree.path(key);
    this.#checkFolder(parentKey(key));
    return path;
  }

  /** Like `resolve`; undefined where the folder of the key is not there. @throws {UnsafePathError} */
  find(key: string): string | undefined {
    const path = this.#tree.path(key);
    return this.#checkFolder(parentKey(key)) ? path : undefined;
  }

  /** Like `resolve`, and the key itself must be a folder if it is there. */
  resolveFolder(key: string): string {
    const path = this.#tree.path(key);
    this.#checkFolder(key);
    return path;
  }

  #checkFolder(key: string): boolean {
    if (key === "" || this.#safe.has(key)) return true;
    if (this.#missing?.has(key) === true || !this.#checkFolder(parentKey(key))) return false;
    const path = this.#tree.path(key);
    const info = lookAt(path);
    if (info === undefined) {
      this.#missing?.add(key);
      return false; // nothing there: nothing to go through
    }
    if (info.isDirectory) {
      this.#safe.add(key);
      return true;
    }
    throw new UnsafePathError(`Cannot go through ${path}: it is ${whatItIs(info)}, not a folder`, {
      hint: "backout follows no symlink inside a repository. Replace it by a real folder.",
      context: { path, is: whatItIs(info) },
    });
  }
}

/** Sets mode and owner where they differ from what a call has made. */
export function applyAttributes(path: string, wanted: Attributes): void {
  const owner = wanted.owner;
  if (owner !== undefined) {
    const info = Deno.lstatSync(path);
    if (info.uid !== owner.uid || info.gid !== owner.gid) posix.chown(path, owner.uid, owner.gid);
  }
  if (permissionBits(Deno.lstatSync(path)) !== wanted.mode) posix.chmod(path, wanted.mode);
}

export function permissionBits(info: Deno.FileInfo): number {
  return (info.mode ?? 0) & 0o7777;
}

let superuser: boolean | undefined;

/** True when we may give files to another owner. */
export function isSuperuser(): boolean {
  try {
    return superuser ??= Deno.uid() === 0;
  } catch {
    return superuser = false; // no permission to ask
  }
}

/** The deepest folder that exists on the way to a path. */
export function nearestFolder(path: string): Deno.FileInfo {
  for (let at = path;; at = dirname(at)) {
    const info = statFollowing(at);
    if (info?.isDirectory === true) return info;
    if (dirname(at) === at) return Deno.statSync(at);
  }
}

/** The path of that folder. */
export function nearestFolderPath(path: string): string {
  for (let at = path;; at = dirname(at)) {
    if (dirname(at) === at || statFollowing(at)?.isDirectory === true) return at;
  }
}

/** A random name for a temporary file that stands for `path`, in the same folder. */
export function temporaryBeside(path: string, token: string): string {
  return join(dirname(path), `.${basename(path).slice(0, 200)}.${token}.tmp`);
}

/** What a path is, through symlinks; undefined when nothing is there. */
export function statFollowing(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    const code = posix.errorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    return attempt("look at", path, () => {
      throw error;
    });
  }
}
