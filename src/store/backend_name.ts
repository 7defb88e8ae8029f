/** Names of files of a store: made by the store itself, checked all the same, since indexes and manifests name them. */
import { IntegrityError } from "#/core/errors.ts";
import { quoteShort } from "#/core/safe_path.ts";

/** Parts begin with a letter or digit, so that none is `.`, `..` or hidden. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._+~-]*(?:\/[A-Za-z0-9][A-Za-z0-9._+~-]*)*$/;
const MAX_LENGTH = 400;

/** Files that are being written; never listed as a part of the store. */
export const SCRATCH_FOLDER = "tmp";

/** @throws {IntegrityError} where a name could lead out of the store */
export function assertStoreName(name: string): void {
  if (name.length <= MAX_LENGTH && NAME.test(name)) return;
  throw new IntegrityError(`The snapshot store names a file ${quoteShort(name)}, which cannot be its own`, {
    hint: "Somebody has changed the store: run `backout snapshot verify --read-data`.",
  });
}
