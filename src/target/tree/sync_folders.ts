/** Makes what was done in many folders durable. */
import * as changes from "#/core/posix_native.ts";
import { lookAt } from "./look.ts";

/** From this many files on one sync of the filesystem is cheaper than one of each file. */
export const SYNC_EACH = 16;

/** Everything on the filesystems of these folders. False: not possible here. */
export async function syncFilesystems(folders: readonly string[]): Promise<boolean> {
  const seen = new Set<string>();
  for (const folder of new Set(folders)) {
    const dev = lookAt(folder)?.dev;
    if (dev === undefined || seen.has(dev)) continue;
    seen.add(dev);
    if (!await changes.syncFilesystemAside(folder)) return false;
  }
  return true;
}
