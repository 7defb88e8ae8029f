/** Copies to places outside the repository: for drills and exports, so not durable. */
import { dirname } from "node:path";
import { lstatRegular } from "#/core/digest.ts";
import { Pacer } from "#/core/pace.ts";
import * as posix from "#/core/posix.ts";
import { attempt, lookAt } from "#/core/system_error.ts";
import { copyOne } from "./copy.ts";
import { type FilesystemTree, permissionBits } from "./tree.ts";
import { type BatchOptions, ConflictError } from "#/storage/object_store.ts";

export interface Export {
  readonly key: string;
  readonly path: string;
  readonly mode: number;
}

/** `ObjectReader.exportFiles`. @throws {ConflictError} when something is at one of the paths */
export async function exportFiles(
  tree: FilesystemTree,
  files: readonly Export[],
  options: BatchOptions,
): Promise<void> {
  const guard = tree.guard();
  const pacer = new Pacer(options.signal);
  const sources = files.map((file) => lstatRegular(guard.resolve(file.key)));
  const total = sources.reduce((sum, info) => sum + info.size, 0);
  let done = 0;
  for (const [i, file] of files.entries()) {
    if (pacer.due()) await pacer.rest();
    if (lookAt(file.path) !== undefined) {
      throw new ConflictError(`Cannot write ${file.path}: something is there already`, {
        hint: "Give an empty folder.",
        context: { path: file.path },
      });
    }
    makeFolders(dirname(file.path));
    await copyOne(tree.path(file.key), file.path, sources[i]!);
    attempt("set the mode of", file.path, () => {
      if (permissionBits(Deno.lstatSync(file.path)) !== file.mode) posix.chmod(file.path, file.mode);
    });
    done += sources[i]!.size;
    options.onProgress?.(done, total);
  }
}

function makeFolders(path: string): void {
  if (lookAt(path) !== undefined || dirname(path) === path) return;
  makeFolders(dirname(path));
  attempt("create the folder", path, () => {
    try {
      posix.mkdir(path);
    } catch (error) {
      if (posix.errorCode(error) !== "EEXIST") throw error;
    }
  });
}
