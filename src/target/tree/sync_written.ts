/** Makes what was written durable: one sync of the filesystem where that is cheaper than many small ones. */
import { throwIfStopped } from "#/core/pace.ts";
import * as posix from "#/core/posix.ts";
import * as changes from "#/core/posix_native.ts";
import { lookAt } from "./look.ts";
import { parentOf } from "./path.ts";

/** From so many on one sync of the filesystem is cheaper than one of each. */
const SYNC_EACH = 16;

/** @param files whose bytes are to be durable @param folders whose names are, if they are still there */
export async function syncWritten(
  files: readonly string[],
  folders: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const around = [...files.map(parentOf), ...folders];
  if (around.length > SYNC_EACH && await syncFilesystems(around)) return;
  await syncEach(files, signal);
  for (const folder of folders) if (lookAt(folder)?.type === "folder") posix.syncFolder(folder);
}

async function syncEach(files: readonly string[], signal: AbortSignal): Promise<void> {
  const failure = await posix.syncFiles(files, signal);
  throwIfStopped(signal);
  if (failure === undefined) return;
  // A mode without the right to read keeps even the owner from opening it.
  const denied = posix.errorCode(failure.error) === "EACCES" ||
    failure.error instanceof Deno.errors.PermissionDenied;
  if (!denied || !await syncFilesystems(files.map(parentOf))) throw failure.error;
}

/** Everything on the filesystems of these folders. False: not possible here. */
async function syncFilesystems(folders: readonly string[]): Promise<boolean> {
  const seen = new Set<string>();
  for (const folder of new Set(folders)) {
    const dev = lookAt(folder)?.dev;
    if (dev === undefined || seen.has(dev)) continue;
    seen.add(dev);
    if (!await changes.syncFilesystemAside(folder)) return false;
  }
  return true;
}
