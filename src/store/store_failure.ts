/** Why something could not be stored, as people are told. */
import * as fs from "node:fs";
import { RollbackBackupError } from "#/core/errors.ts";
import { SystemError } from "#/core/system_error.ts";

/**
 * A full disk becomes a `RollbackBackupError` that says where and how much is left; everything else is itself.
 * @param folder where the store writes on this machine
 */
export function storeFailure(error: unknown, location: string, folder: string | undefined): unknown {
  if (!(error instanceof SystemError) || error.kind !== "disk_full") return error;
  const where = folder ?? String(error.context.path);
  const free = freeBytes(where);
  const left = free === undefined ? "" : `, ${free} bytes are free`;
  return new RollbackBackupError(
    `Cannot store the snapshot in ${location}: the disk is full (${where}${left}); nothing was recorded`,
    {
      hint:
        "Free some space there, delete old snapshots, or keep the store elsewhere; then run the command again.",
      context: { folder: where, free_bytes: free ?? null, errno: error.errno ?? null },
      cause: error,
    },
  );
}

function freeBytes(folder: string): number | undefined {
  try {
    const { bavail, bsize } = fs.statfsSync(folder);
    return bavail * bsize;
  } catch {
    return undefined; // only a number in a message
  }
}
