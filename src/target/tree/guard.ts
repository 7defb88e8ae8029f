/** No change leads out of what a target covers: every folder on the way is a real one, looked at right before. */
import { RollbackError } from "#/core/errors.ts";
import { makeFolders } from "#/core/output_file.ts";
import { native } from "#/core/native.ts";
import { mkdir } from "#/core/posix.ts";
import { lookAt } from "./look.ts";
import { isWithin, parentOf, pathProblem } from "./path.ts";

/** Siblings follow each other: for so long, in milliseconds, a folder that was looked at is not looked at again. */
const LOOK_HOLDS_MS = 1;

export class Guard {
  readonly #folders: readonly string[];
  /** The folder that was looked at last, and until when that holds. */
  #looked = { folder: "", until: 0 };

  /** @param folders what is covered: the folders above them are the system's own, and may be symlinks */
  constructor(folders: readonly string[]) {
    this.#folders = folders;
  }

  /**
   * @returns the path, checked
   * @throws {RollbackError} it is not covered, or a symlink (or anything but a folder) is on the way
   */
  check(path: string): string {
    const folder = parentOf(path);
    const root = this.#folders.find((it) => isWithin(path, it));
    if (root === undefined || pathProblem(path) !== undefined) {
      throw new RollbackError(
        `Cannot touch ${JSON.stringify(path)}: it is outside of what the target covers`,
        {
          hint: "Somebody may have changed the snapshot. Run `backout snapshot verify`.",
          context: { path },
        },
      );
    }
    if (path === root) return path;
    const now = performance.now();
    if (folder === this.#looked.folder && now < this.#looked.until) return path;
    // One call where no folder on the way is a symlink, also above what is covered; else folder by folder.
    if (native()?.files.isPlainFolder(folder) !== true) this.#lookAtEach(path, root);
    this.#looked = { folder, until: now + LOOK_HOLDS_MS };
    return path;
  }

  #lookAtEach(path: string, root: string): void {
    for (let at = path.indexOf("/", root.length); at > 0; at = path.indexOf("/", at + 1)) {
      const folder = path.slice(0, at);
      if (isWithin(folder, root)) this.#mustBeFolder(folder, path);
    }
  }

  /** Makes a folder and those above it; below what is covered through no symlink. */
  makeFolders(path: string): void {
    const root = this.#folders.find((it) => isWithin(path, it));
    if (root === undefined || root === path) return makeFolders(path);
    makeFolders(root);
    for (let at = path.indexOf("/", root.length + 1); at > 0; at = path.indexOf("/", at + 1)) {
      this.#makeFolder(path.slice(0, at));
    }
    this.#makeFolder(path);
  }

  #makeFolder(path: string): void {
    if (lookAt(this.check(path)) === undefined) mkdir(path);
    this.#mustBeFolder(path, path);
  }

  #mustBeFolder(folder: string, path: string): void {
    const type = lookAt(folder)?.type;
    if (type === "folder") return;
    throw new RollbackError(
      `Cannot touch ${JSON.stringify(path)}: ${JSON.stringify(folder)} is ${
        type === undefined ? "gone" : `a ${type}, not a folder`
      }`,
      {
        hint: "Something else changed it at the same moment. Stop that, then restore again.",
        context: { path, folder },
      },
    );
  }
}
