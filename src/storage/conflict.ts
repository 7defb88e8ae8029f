/** Errors that several drivers have in common: what stands in the way, and bytes that are not what was promised. */
import { basename, dirname } from "node:path";
import { RollbackBackupError } from "#/core/errors.ts";
import { ConflictError } from "./object_store.ts";

/** The bytes of a copy (or of what is to be copied) are not those that were promised. */
export function copyDiffers(name: string, wanted: string, found: string): RollbackBackupError {
  return new RollbackBackupError(
    `Cannot use ${name}: its bytes do not match their checksum (expected ${short(wanted)}, found ${
      short(found)
    })`,
    {
      hint: "Look for another backup of it (`backout backup verify --read-data` names the intact ones).",
      context: { path: name, expected: wanted, found },
    },
  );
}

/** A source has another size than its record says. */
export function sizeDiffers(name: string, wanted: number, found: number): RollbackBackupError {
  return new RollbackBackupError(
    `Cannot use ${name}: it has ${found} bytes, but ${wanted} were expected`,
    { context: { path: name, expected: wanted, found } },
  );
}

/** Another file is where one should be put. */
export function occupied(path: string): ConflictError {
  return new ConflictError(`Cannot put ${basename(path)} into ${dirname(path)}: another file is there`, {
    hint: "Move that file away, then run the command again.",
    context: { path },
  });
}

function short(digest: string): string {
  return digest.slice(0, 12);
}
