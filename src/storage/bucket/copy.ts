/** Server-side copies: no byte comes through this machine, one request per object. */
import { RollbackBackupError } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import { type BucketAccess, checkedKey, orStopped, pairOf, withSignal } from "./access.ts";
import type { BucketObject, CopySource } from "./bucket.ts";
import { haveSameBytes, quickCompare, toCompare } from "./compare.ts";
import { lookUp } from "./look_up.ts";
import { missing } from "./read.ts";
import { removeObjects } from "./remove.ts";
import { copyDiffers, occupied } from "#/storage/conflict.ts";
import { mapLimited } from "#/storage/limit.ts";
import type { BatchOptions } from "#/storage/object_store.ts";

export interface Copy {
  readonly from: string;
  readonly to: string;
  readonly sha256: string | null;
}

/** A copy to be made, of an object that was seen. */
export interface CopyJob {
  readonly from: CopySource;
  /** What the current version of `from` was; undefined for an older version. */
  readonly seen?: BucketObject | undefined;
  readonly to: string;
  /** Compared where the service computes one. */
  readonly sha256: string | null;
}

/** `ObjectStore.copyFiles`. */
export async function copyFiles(
  access: BucketAccess,
  copies: readonly Copy[],
  options: BatchOptions,
): Promise<void> {
  const { signal } = options;
  throwIfStopped(signal);
  for (const copy of copies) {
    checkedKey(copy.from);
    checkedKey(copy.to);
  }
  const there = await lookUp(access, copies.flatMap((copy) => [copy.from, copy.to]), { signal });
  const jobs: CopyJob[] = [];
  await mapLimited(copies, access.jobs, async ({ from, to, sha256 }) => {
    const source = there.get(from);
    if (source === undefined) throw missing(from);
    const target = there.get(to);
    if (target === undefined) jobs.push({ from: source, seen: source, to, sha256 });
    else if (!await haveSameBytes(access, source, target, { signal, believesNotes: false })) {
      throw occupied(to);
    }
  }, signal);
  await copyObjects(access, jobs, options);
}

/**
 * Makes copies whose targets are free, and looks at them afterwards. What turns out wrong is removed again.
 * @returns the new objects by key
 * @throws {RollbackBackupError} when a copy is not what it was copied from
 */
export async function copyObjects(
  access: BucketAccess,
  jobs: readonly CopyJob[],
  options: BatchOptions,
): Promise<ReadonlyMap<string, BucketObject>> {
  const { signal } = options;
  const request = withSignal(signal);
  const total = jobs.reduce((sum, job) => sum + job.from.size, 0);
  let done = 0;
  const replies = await mapLimited(jobs, access.jobs, async ({ from, to }) => {
    const reply = await orStopped(signal, access.bucket.copy(from, to, request));
    done += from.size;
    options.onProgress?.(done, total);
    return reply;
  }, signal);
  const there = await lookUp(access, jobs.map((job) => job.to), { signal });
  await mapLimited(jobs, access.jobs, async (job, i) => {
    const { object, sha256 } = replies[i]!;
    await checkCopy(access, job, { reply: object, sha256, found: there.get(job.to) });
  }, signal);
  return there;
}

interface Made {
  /** What the copy request said. */
  readonly reply: BucketObject;
  readonly sha256: string | undefined;
  /** What is there now. */
  readonly found: BucketObject | undefined;
}

async function checkCopy(access: BucketAccess, job: CopyJob, made: Made): Promise<void> {
  const problem = await problemOf(access, job, made);
  if (problem === undefined) {
    if (job.seen !== undefined) access.sameBytes.add(pairOf(job.seen, made.found!));
    return;
  }
  if (made.found?.tag === made.reply.tag) {
    await removeObjects(access, [{ key: job.to, tag: made.found.tag }], {});
  }
  throw problem;
}

async function problemOf(
  access: BucketAccess,
  job: CopyJob,
  { reply, sha256, found }: Made,
): Promise<RollbackBackupError | undefined> {
  if (found === undefined) return brokenCopy(job, "it is not there after the copy");
  if (found.size !== job.from.size) {
    return brokenCopy(job, `it has ${found.size} bytes instead of ${job.from.size}`);
  }
  if (sha256 !== undefined && job.sha256 !== null) {
    return sha256 === job.sha256 ? undefined : copyDiffers(job.from.key, job.sha256, sha256);
  }
  if (job.seen === undefined || quickCompare(toCompare(job.seen), reply) !== false) return undefined;
  // A listing does not tell that the service encrypts an object, and gives a tag that says nothing then.
  const source = await access.bucket.head(job.from.key);
  if (source !== undefined && quickCompare(toCompare(source), reply) !== false) return undefined;
  return brokenCopy(job, `${reply.contentTag} instead of ${job.seen.contentTag}`);
}

function brokenCopy(job: CopyJob, why: string): RollbackBackupError {
  return new RollbackBackupError(`Cannot trust the copy of ${job.from.key} at ${job.to}: ${why}`, {
    hint: "Somebody else may have written to one of them. Run the command again.",
    context: { from: job.from.key, to: job.to },
  });
}
