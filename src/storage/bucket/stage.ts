/** Single objects: created, replaced, or prepared under an operation's own name and committed by one conditional put. */
import { StorageError } from "#/core/errors.ts";
import { type BucketAccess, checkedKey, isPrecondition } from "./access.ts";
import { contentTypeOf } from "#/storage/content_type.ts";
import { BucketError } from "./bucket_error.ts";
import type { WriteCondition } from "./bucket.ts";
import { ConflictError } from "#/storage/object_store.ts";

/** Where an operation keeps what is its own: staged replacements, and the trash of a rollback without a backup. */
export function scratchFolder(operation: string): string {
  return checkedKey(`.backout/operations/${operation}/scratch`);
}

export function scratchKeyOf(operation: string, name: string): string {
  return checkedKey(`${scratchFolder(operation)}/${name}`);
}

/** `ObjectStore.create`. */
export async function createObject(access: BucketAccess, key: string, bytes: Uint8Array): Promise<void> {
  await putObject(access, key, bytes, { absent: true });
}

/** `ObjectStore.replace`, or with a condition a part of a commit. */
export async function putObject(
  access: BucketAccess,
  key: string,
  bytes: Uint8Array,
  condition?: WriteCondition,
): Promise<void> {
  const options = { contentType: contentTypeOf(key), ...(condition === undefined ? {} : { condition }) };
  try {
    await access.bucket.put(checkedKey(key), bytes, options);
  } catch (error) {
    if (condition === undefined || !isPrecondition(error)) throw error;
    throw changedMeanwhile(key, condition, error);
  }
}

/** `ObjectStore.commitStaged`. */
export async function commitStaged(
  access: BucketAccess,
  operation: string,
  name: string,
  key: string,
  ifTag: string | null,
): Promise<void> {
  checkedKey(key);
  const scratch = scratchKeyOf(operation, name);
  const staged = await access.bucket.get(scratch, { maxBytes: Number.MAX_SAFE_INTEGER });
  if (staged === undefined) {
    throw new StorageError(`Cannot commit ${key}: nothing is staged as ${JSON.stringify(name)}`, {
      context: { key, name },
    });
  }
  await putObject(access, key, staged.bytes, ifTag === null ? { absent: true } : { tag: ifTag });
  try {
    await access.bucket.remove([{ key: scratch, tag: staged.object.tag }]);
  } catch (error) {
    // It is committed, whatever becomes of the draft: that goes with the operation's other scratch.
    if (!(error instanceof BucketError)) throw error;
  }
}

function changedMeanwhile(key: string, condition: WriteCondition, cause: unknown): ConflictError {
  if ("absent" in condition) {
    return new ConflictError(`Cannot create ${key}: it exists already, by somebody else in the meantime`, {
      hint: "Run the command again; it reads the file anew.",
      context: { key },
      cause,
    });
  }
  return new ConflictError(
    `Cannot replace ${key}: it was changed or removed by somebody else in the meantime`,
    {
      hint: "Run the command again; it reads the file anew.",
      context: { key, expected: condition.tag },
      cause,
    },
  );
}
