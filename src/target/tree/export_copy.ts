/** A plain copy of what was captured, in a folder that people and other tools can read without backout. */
import { Pacer } from "#/core/pace.ts";
import * as posix from "#/core/posix.ts";
import * as changes from "#/core/posix_native.ts";
import { systemError } from "#/core/system_error.ts";
import type { CaptureContext } from "../target.ts";
import type { TreeOptions } from "./capture.ts";
import { excludingOwn } from "./own.ts";
import { sameTime } from "./compare.ts";
import { Guard } from "./guard.ts";
import { temporaryForRoot } from "./leftover.ts";
import { lookAt, type Seen } from "./look.ts";
import { isWithin, parentOf } from "./path.ts";
import { newNotes, scan } from "./scan.ts";

/**
 * Copies files, folders and symlinks below `folder`, each at its own absolute path there. A file whose copy has its size
 * and time is left alone; what is gone from the target goes from nowhere else.
 * @throws {SystemError}
 */
export async function copyPlain(
  options: TreeOptions,
  folder: string,
  context: CaptureContext,
): Promise<void> {
  const guard = new Guard([folder]);
  const pacer = new Pacer(context.signal);
  const own = excludingOwn(options);
  // A copy within the target is not copied into itself.
  const exclude = (path: string, root: string) => isWithin(path, folder) || own(path, root);
  const folders: Seen[] = [];
  try {
    guard.makeFolders(folder);
    for (const entry of scan({ ...options, exclude }, newNotes())) {
      if (pacer.due()) await pacer.rest();
      const to = folder + entry.path;
      if (options.roots.includes(entry.path)) guard.makeFolders(parentOf(to));
      guard.check(to);
      if (entry.type === "folder") {
        guard.makeFolders(to);
        folders.push(entry);
      } else if (entry.type === "file" || entry.type === "symlink") copyOne(entry, to);
    }
    for (const entry of folders.reverse()) {
      changes.changeMode(guard.check(folder + entry.path), entry.mode | 0o700);
    }
  } catch (error) {
    throw systemError(error, "copy to backup_location", folder);
  }
}

function copyOne(entry: Seen, to: string): void {
  const there = lookAt(to);
  if (there?.type === "symlink" && there.target === entry.target && entry.type === "symlink") return;
  if (there?.type === "file" && there.size === entry.size && sameTime(there.mtime, entry.mtime)) return;
  const temporary = temporaryForRoot(to, []); // always the same: a killed capture leaves nothing for ever
  if (posix.lstat(temporary) !== undefined) posix.unlink(temporary);
  try {
    if (entry.type === "symlink") posix.symlink(entry.target!, temporary);
    else {
      posix.copyFile(entry.path, temporary);
      changes.changeMode(temporary, entry.mode & 0o777);
      changes.setTime(temporary, entry.mtime);
    }
    posix.rename(temporary, to);
  } catch (error) {
    if (posix.lstat(temporary) !== undefined) posix.unlink(temporary);
    if (posix.errorCode(error) === "ENOENT" && lookAt(entry.path) === undefined) return; // went meanwhile
    throw error;
  }
}
