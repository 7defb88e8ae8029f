/** Files from outside, or from a backup, that become artifacts: checked first, then put, each whole or not at all. */
import { sha256Hex } from "#/core/sha256.ts";
import { digestFiles, FileChangedError, type FileDigest } from "#/core/digest.ts";
import { RollbackBackupError } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import { lookAt } from "#/core/system_error.ts";
import type { FileRecord } from "#/repository/index_format.ts";
import { type BucketAccess, checkedKey, isPrecondition, orStopped, withSignal } from "./access.ts";
import {
  type BucketObject,
  type BucketObjectDetail,
  type CopySource,
  MAX_PUT_BYTES,
  type PutOptions,
} from "./bucket.ts";
import { digestInMetadata, MODE_METADATA, SHA256_METADATA, wordFor } from "./compare.ts";
import { copyObjects } from "./copy.ts";
import { lookUp } from "./look_up.ts";
import { hashObject, missing } from "./read.ts";
import { contentTypeOf } from "#/storage/content_type.ts";
import { copyDiffers, occupied, sizeDiffers } from "#/storage/conflict.ts";
import { readWhole, tagOf } from "#/storage/filesystem/read.ts";
import { Budget, mapLimited } from "#/storage/limit.ts";
import type { AddOptions, BatchOptions, ObjectKey, StagedFile } from "#/storage/object_store.ts";

/** Bytes that are held in memory for requests under way. */
const MAX_BYTES_IN_FLIGHT = 64 << 20;
/** What an upload in parts holds of them. */
const UPLOAD_BYTES = 32 << 20;

interface Run {
  readonly access: BucketAccess;
  readonly options: AddOptions;
  readonly tags: Map<string, string>;
  /** Bytes checked and placed; each file counts twice. */
  readonly advance: (bytes: number) => void;
}

interface Local {
  readonly file: StagedFile;
  readonly digest: FileDigest;
}

interface Stored {
  readonly file: StagedFile;
  readonly source: CopySource;
  readonly seen: BucketObject | undefined;
}

/** `ObjectStore.addFiles`. */
export async function addFiles(
  access: BucketAccess,
  files: readonly StagedFile[],
  options: AddOptions,
): Promise<ReadonlyMap<string, string>> {
  throwIfStopped(options.signal);
  const run: Run = { access, options, tags: new Map(), advance: halves(files, options) };
  const todo = await filesToAdd(run, files);
  const local = await checkLocal(run, todo);
  const stored = await checkStored(run, todo);
  throwIfStopped(options.signal);
  await options.beforePlacing?.();
  await putAll(run, local);
  await copyAll(run, stored);
  return run.tags;
}

/** `ObjectStore.haveBytes`. */
export async function haveBytes(
  access: BucketAccess,
  files: readonly Pick<FileRecord, "path" | "size" | "sha256">[],
  { signal }: BatchOptions,
): Promise<readonly boolean[]> {
  const there = await lookUp(access, files.map((file) => file.path), { signal });
  return await mapLimited(files, access.jobs, async ({ path, size, sha256 }) => {
    if (there.get(path)?.size !== size) return false;
    const detail = await orStopped(signal, access.bucket.head(path, withSignal(signal)));
    return detail !== undefined && detail.size === size && await holds(access, detail, sha256, signal);
  }, signal);
}

/** Leaves out what is there already. @throws {ConflictError} when other bytes are */
async function filesToAdd(run: Run, files: readonly StagedFile[]): Promise<readonly StagedFile[]> {
  const { access, options: { signal } } = run;
  const there = await lookUp(access, files.map((file) => file.record.path), { signal });
  const isThere = await mapLimited(files, access.jobs, async ({ record }) => {
    const object = there.get(record.path);
    if (object === undefined) return false;
    const detail = await orStopped(signal, access.bucket.head(record.path, withSignal(signal)));
    if (detail?.size !== record.size || !await holds(access, detail, record.sha256, signal)) {
      throw occupied(record.path);
    }
    noteTag(run, detail);
    run.advance(record.size * 2);
    return true;
  }, signal);
  return files.filter((_, i) => !isThere[i]);
}

/** By the digest that was noted when it was published, else by reading it. */
async function holds(
  access: BucketAccess,
  object: BucketObjectDetail,
  wanted: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (digestInMetadata(object) === wanted) return true;
  return (await hashObject(access, object.key, { signal }))?.sha256 === wanted;
}

async function checkLocal(run: Run, files: readonly StagedFile[]): Promise<readonly Local[]> {
  const local = files.flatMap((file) => "path" in file.source ? [{ file, path: file.source.path }] : []);
  let before = 0;
  const digests = await digestFiles(local.map(({ path }) => path), {
    signal: run.options.signal,
    onProgress: (done) => {
      run.advance(done - before);
      before = done;
    },
  });
  return local.map(({ file, path }, i) => {
    const digest = digests[i]!;
    const { record } = file;
    if (digest.size !== record.size) throw sizeDiffers(path, record.size, digest.size);
    if (digest.sha256 !== record.sha256) throw copyDiffers(record.path, record.sha256, digest.sha256);
    return { file, digest };
  });
}

/**
 * The bytes of sources in the bucket are read, but where the service says that they are the ones they were. The digest
 * noted with an object is not enough: whoever writes it anew may carry that along.
 */
async function checkStored(run: Run, files: readonly StagedFile[]): Promise<readonly Stored[]> {
  const { access, options: { signal } } = run;
  const stored = files.flatMap((file) => "path" in file.source ? [] : [{ file, source: file.source }]);
  return await mapLimited(stored, access.jobs, async ({ file, source }) => {
    const { record } = file;
    const key = checkedKey(source.key);
    const version = "versionId" in source ? { versionId: source.versionId } : {};
    const detail = await orStopped(signal, access.bucket.head(key, { ...withSignal(signal), ...version }));
    if (detail === undefined) throw missingSource(key);
    if (detail.size !== record.size) throw sizeDiffers(key, record.size, detail.size);
    if (file.contentTag === undefined || file.contentTag !== wordFor(detail)) {
      const wanted: ObjectKey = "versionId" in source ? source : key;
      const found = await hashObject(access, wanted, { signal });
      if (found?.sha256 !== record.sha256) throw copyDiffers(key, record.sha256, found?.sha256 ?? "nothing");
    }
    run.advance(record.size);
    const seen = "versionId" in source ? undefined : detail;
    return { file, source: { key, size: detail.size, ...version }, seen };
  }, signal);
}

async function putAll(run: Run, files: readonly Local[]): Promise<void> {
  const { access, options: { signal } } = run;
  const budget = new Budget(MAX_BYTES_IN_FLIGHT);
  await mapLimited(files, access.jobs, async (local) => {
    const { size } = local.file.record;
    const isSmall = size <= MAX_PUT_BYTES;
    const object = await budget.use(isSmall ? size : UPLOAD_BYTES, () => {
      throwIfStopped(signal); // it may have waited for its turn
      return isSmall ? putSmall(run, local) : uploadLarge(run, local);
    });
    noteTag(run, object);
  }, signal);
}

/** What is sent is what is hashed here, so that a file that changes meanwhile is noticed before it is seen. */
async function putSmall(run: Run, { file, digest }: Local): Promise<BucketObject> {
  const bytes = readWhole(digest.path, MAX_PUT_BYTES);
  if (bytes === undefined || sha256Hex(bytes) !== file.record.sha256) throw new FileChangedError(digest.path);
  // Once it is sent it is waited for, also by who was told to stop: it would be made all the same, and stay behind.
  const send = ({ signal: _stop, ...options }: PutOptions) =>
    run.access.bucket.put(file.record.path, bytes, options);
  const object = await place(run, file, send);
  run.advance(bytes.length);
  return object;
}

async function uploadLarge(run: Run, { file, digest }: Local): Promise<BucketObject> {
  const { path, size, stat } = digest;
  const { bucket } = run.access;
  let sent = 0;
  const onBytes = (soFar: number) => {
    run.advance(soFar - sent);
    sent = soFar;
  };
  const object = await place(
    run,
    file,
    (options) => bucket.upload(file.record.path, { path, size }, { ...options, onBytes }),
  );
  run.advance(size - sent);
  const now = lookAt(path);
  if (now !== undefined && tagOf(now) === tagOf(stat)) return object;
  await bucket.remove([{ key: object.key, tag: object.tag }]); // who knows what was sent
  throw new FileChangedError(path);
}

async function place(
  run: Run,
  { record }: StagedFile,
  send: (options: PutOptions) => Promise<BucketObject>,
): Promise<BucketObject> {
  const { signal } = run.options;
  try {
    return await orStopped(
      signal,
      send({
        ...withSignal(signal),
        condition: { absent: true },
        contentType: contentTypeOf(record.path),
        metadata: { [SHA256_METADATA]: record.sha256, [MODE_METADATA]: record.mode.toString(8) },
      }),
    );
  } catch (error) {
    if (!isPrecondition(error)) throw error;
    // Somebody was faster: perhaps an attempt of our own whose reply was lost.
    const there = await run.access.bucket.head(record.path, withSignal(signal));
    if (there?.size !== record.size || !await holds(run.access, there, record.sha256, signal)) {
      throw occupied(record.path);
    }
    return there;
  }
}

async function copyAll(run: Run, files: readonly Stored[]): Promise<void> {
  if (files.length === 0) return;
  const { signal } = run.options;
  const jobs = files.map(({ file, source, seen }) => ({
    from: source,
    seen,
    to: file.record.path,
    sha256: file.record.sha256,
  }));
  let before = 0;
  const onProgress = (done: number) => {
    run.advance(done - before);
    before = done;
  };
  const made = await copyObjects(run.access, jobs, { ...withSignal(signal), onProgress });
  for (const object of made.values()) noteTag(run, object);
}

/** Of an object in parts only its own tag is known; as long as it has that one, nobody wrote it anew. */
function noteTag(run: Run, { key, contentTag, tag }: BucketObject): void {
  run.tags.set(key, wordFor({ contentTag, tag }));
}

/** Checking is half of the work, placing the other. */
function halves(files: readonly StagedFile[], options: AddOptions): (bytes: number) => void {
  const total = files.reduce((sum, file) => sum + file.record.size, 0);
  let twice = 0;
  return (bytes) => {
    twice += bytes;
    options.onProgress?.(Math.min(total, Math.floor(twice / 2)), total);
  };
}

function missingSource(key: string): RollbackBackupError {
  const { message, hint, context } = missing(key);
  return new RollbackBackupError(message, { context, ...(hint === undefined ? {} : { hint }) });
}
