/** Reading objects as streams: for digests and for exports. Memory is bounded, whatever the size of the objects. */
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { StorageError } from "#/core/errors.ts";
import { makeFolders } from "#/core/output_file.ts";
import { throwIfStopped } from "#/core/pace.ts";
import * as posix from "#/core/posix.ts";
import { attempt, lookAt } from "#/core/system_error.ts";
import { type BucketAccess, checkedKey, orStopped, toStat, withSignal } from "./access.ts";
import { lookUp } from "./look_up.ts";
import type { BucketObject } from "./bucket.ts";
import { BucketError } from "./bucket_error.ts";
import { mapLimited } from "#/storage/limit.ts";
import {
  type BatchOptions,
  ConflictError,
  type DigestedObject,
  type ObjectKey,
  type VersionedKey,
} from "#/storage/object_store.ts";

/** Objects read at the same time: more only share the line, and each has its buffers. */
const MAX_STREAMS = 8;
/** How often an object is read again when the connection broke on the way. */
const MAX_TRIES = 4;

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes that came, and with a negative number when they are read again. */
  readonly onBytes?: (bytes: number) => void;
}

/** `ObjectReader.digest`. */
export async function digestObjects(
  access: BucketAccess,
  keys: readonly ObjectKey[],
  options: BatchOptions,
): Promise<readonly DigestedObject[]> {
  const { signal } = options;
  const onBytes = await byteCounter(access, keys, options);
  return await mapLimited(keys, Math.min(access.jobs, MAX_STREAMS), async (key) => {
    const found = await hashObject(access, key, { signal, onBytes });
    if (found === undefined) throw missing(nameOf(key));
    const { object, sha256 } = found;
    return { key: nameOf(key), size: object.size, sha256, stat: toStat(object) };
  }, signal);
}

/** SHA-256 of one object; undefined when there is none. */
export async function hashObject(
  access: BucketAccess,
  key: ObjectKey,
  options: ReadOptions,
): Promise<{ readonly object: BucketObject; readonly sha256: string } | undefined> {
  let hash = createHash("sha256");
  const object = await readStream(access, key, {
    ...options,
    begin: () => void (hash = createHash("sha256")),
    take: (chunk) => void hash.update(chunk),
  });
  return object === undefined ? undefined : { object, sha256: hash.digest("hex") };
}

/** `ObjectReader.exportFiles`. @throws {ConflictError} when something is at one of the paths */
export async function exportObjects(
  access: BucketAccess,
  files: readonly { readonly key: ObjectKey; readonly path: string; readonly mode: number }[],
  options: BatchOptions,
): Promise<void> {
  const { signal } = options;
  const onBytes = await byteCounter(access, files.map((file) => file.key), options);
  await mapLimited(files, Math.min(access.jobs, MAX_STREAMS), async ({ key, path, mode }) => {
    if (lookAt(path) !== undefined) throw alreadyThere(path);
    attempt("create the folder", dirname(path), () => makeFolders(dirname(path)));
    await exportOne(access, key, path, { signal, onBytes });
    attempt("set the mode of", path, () => {
      if (((Deno.lstatSync(path).mode ?? 0) & 0o7777) !== mode) posix.chmod(path, mode);
    });
  }, signal);
}

async function exportOne(
  access: BucketAccess,
  key: ObjectKey,
  path: string,
  options: ReadOptions,
): Promise<void> {
  using file = attempt("create", path, () => posix.openNewFile(path, 0o600));
  try {
    const object = await readStream(access, key, {
      ...options,
      begin: async () => {
        await file.truncate(0);
        await file.seek(0, Deno.SeekMode.Start);
      },
      take: (chunk) => writeAll(file, chunk),
    });
    if (object === undefined) throw missing(nameOf(key));
  } catch (error) {
    posix.unlink(path);
    throw error;
  }
}

async function writeAll(file: Deno.FsFile, chunk: Uint8Array): Promise<void> {
  for (let offset = 0; offset < chunk.length;) offset += await file.write(chunk.subarray(offset));
}

interface StreamReader extends ReadOptions {
  /** Before the first byte, also when it begins anew. */
  readonly begin: () => void | Promise<void>;
  readonly take: (chunk: Uint8Array) => void | Promise<void>;
}

/** Reads an object from its first byte to its last; undefined when there is none. */
async function readStream(
  access: BucketAccess,
  key: ObjectKey,
  reader: StreamReader,
): Promise<BucketObject | undefined> {
  for (let tries = 1;; tries++) {
    let got = 0;
    const count = (bytes: number) => {
      got += bytes;
      reader.onBytes?.(bytes);
    };
    try {
      return await orStopped(reader.signal, readOnce(access, key, reader, count));
    } catch (error) {
      if (!(error instanceof BucketError && error.isTransient) || got === 0 || tries === MAX_TRIES) {
        throw error;
      }
      reader.onBytes?.(-got); // the body broke off on the way: only reading it again helps
    }
  }
}

async function readOnce(
  access: BucketAccess,
  key: ObjectKey,
  reader: StreamReader,
  count: (bytes: number) => void,
): Promise<BucketObject | undefined> {
  const { signal } = reader;
  const version = typeof key === "string" ? {} : { versionId: key.versionId };
  const opened = await access.bucket.open(checkedKey(nameOf(key)), { ...withSignal(signal), ...version });
  if (opened === undefined) return undefined;
  await reader.begin();
  let size = 0;
  for await (const chunk of opened.body) {
    throwIfStopped(signal);
    await reader.take(chunk);
    size += chunk.length;
    count(chunk.length);
  }
  if (size === opened.object.size) return opened.object;
  throw new BucketError({
    failure: "network",
    action: `read ${nameOf(key)}`,
    location: access.bucket.location,
    message: `${size} of ${opened.object.size} bytes came`,
  });
}

/** Turns bytes into progress; the sizes are only asked for where somebody looks at it. */
async function byteCounter(
  access: BucketAccess,
  keys: readonly ObjectKey[],
  options: BatchOptions,
): Promise<(bytes: number) => void> {
  const { onProgress, signal } = options;
  for (const key of keys) checkedKey(nameOf(key));
  throwIfStopped(signal);
  if (onProgress === undefined) return () => {};
  const current = keys.filter((key): key is string => typeof key === "string");
  const known = await lookUp(access, current, { signal });
  const total = current.reduce((sum, key) => sum + (known.get(key)?.size ?? 0), 0);
  let done = 0;
  return (bytes) => {
    done += bytes;
    onProgress(done, Math.max(total, done)); // older versions are not looked up
  };
}

export function nameOf(key: ObjectKey): string {
  return typeof key === "string" ? key : key.key;
}

/** Narrows to a key with a version. */
export function isVersioned(key: ObjectKey): key is VersionedKey {
  return typeof key !== "string";
}

export function missing(key: string): StorageError {
  return new StorageError(`Cannot read ${key}: it is not there`, {
    hint: "Somebody else moved or removed it. `backout release verify` shows what is missing.",
    context: { key },
  });
}

function alreadyThere(path: string): ConflictError {
  return new ConflictError(`Cannot write ${path}: something is there already`, {
    hint: "Give an empty folder.",
    context: { path },
  });
}
