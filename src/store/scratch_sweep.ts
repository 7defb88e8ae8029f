/** What killed processes left in the folder for temporary files. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeFolder } from "#/core/output_file.ts";
import { currentUser } from "#/core/permission.ts";
import * as posix from "#/core/posix.ts";

/** A folder in which nothing was made or removed for so long has nobody at work in it, in milliseconds. */
const OLD_MS = 2 * 24 * 3600 * 1000;

/** Removes old folders of this user's that begin with a prefix. What cannot be removed is left: it is in nobody's way. */
export function sweepOldScratch(prefix: string): void {
  const me = currentUser();
  for (const entry of posix.readFolder(tmpdir()) ?? []) {
    if (!entry.isDirectory || !entry.name.startsWith(prefix)) continue;
    const path = join(tmpdir(), entry.name);
    const info = posix.lstat(path);
    if (info?.isDirectory !== true || info.uid !== me) continue;
    if (Date.now() - (info.mtime?.getTime() ?? Date.now()) < OLD_MS) continue;
    try {
      removeFolder(path);
    } catch {
      // somebody else is removing it too
    }
  }
}
