/**
 * What the hashing threads share: a list of files, largest first, a counter that hands them out, and the results.
 * Nothing is sent between the threads per file.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { errorCode } from "#/core/posix.ts";

export const BUFFER_BYTES = 1 << 20;
const DIGEST_BYTES = 32;

/** Where the counters are in `DigestJob.control`. */
const NEXT = 0;
const STOP = 1;
/** What became of a file in `DigestJob.states`. */
export const FileState = { open: 0, done: 1 } as const;

/** What a file was when the list was made; a difference after reading means that it changed. */
export interface Stamp {
  readonly ino: number;
  readonly size: number;
  /** Milliseconds. */
  readonly mtime: number;
  readonly ctime: number;
}

export interface DigestJob {
  readonly paths: readonly string[];
  readonly stamps: readonly Stamp[];
  /** Int32: the next file to take; 1 when everybody shall stop. */
  readonly control: SharedArrayBuffer;
  /** BigInt64: bytes hashed so far. */
  readonly progress: SharedArrayBuffer;
  /** Int32 per file: a `FileState`. */
  readonly states: SharedArrayBuffer;
  /** 32 bytes per file. */
  readonly digests: SharedArrayBuffer;
}

/** Why a file could not be hashed, in a form that passes between threads. */
export interface SharedFailure {
  readonly index: number;
  readonly problem: "changed" | "error";
  readonly message: string;
  readonly errno: string | null;
}

export function newJob(paths: readonly string[], stamps: readonly Stamp[]): DigestJob {
  return {
    paths,
    stamps,
    control: new SharedArrayBuffer(2 * 4),
    progress: new SharedArrayBuffer(8),
    states: new SharedArrayBuffer(paths.length * 4),
    digests: new SharedArrayBuffer(paths.length * DIGEST_BYTES),
  };
}

/** Takes the next file from the list; undefined when there is none or the job was stopped. */
export function takeNext(job: DigestJob): number | undefined {
  const control = new Int32Array(job.control);
  if (Atomics.load(control, STOP) !== 0) return undefined;
  const index = Atomics.add(control, NEXT, 1);
  return index < job.paths.length ? index : undefined;
}

/** Tells all threads to stop at the next buffer. */
export function stopJob(job: DigestJob): void {
  Atomics.store(new Int32Array(job.control), STOP, 1);
}

export function isDone(job: DigestJob, index: number): boolean {
  return Atomics.load(new Int32Array(job.states), index) === FileState.done;
}

export function bytesDone(job: DigestJob): number {
  return Number(Atomics.load(new BigInt64Array(job.progress), 0));
}

/** Lower-case hex of a finished file. */
export function digestOf(job: DigestJob, index: number): string {
  const bytes = new Uint8Array(job.digests, index * DIGEST_BYTES, DIGEST_BYTES);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Hashes files from the list until none is left or one fails (the worker's whole work). */
export function hashShared(job: DigestJob): SharedFailure | undefined {
  const buffer = new Uint8Array(BUFFER_BYTES);
  for (;;) {
    const index = takeNext(job);
    if (index === undefined) return undefined;
    const steps = hashOne(job, index, buffer);
    for (;;) {
      const step = steps.next();
      if (!step.done) continue;
      if (step.value === undefined) break;
      stopJob(job);
      return step.value;
    }
  }
}

/**
 * Hashes one file; yields after each buffer so that the caller can rest.
 * @returns why it failed, undefined when it is done (or the job was stopped)
 */
export function* hashOne(
  job: DigestJob,
  index: number,
  buffer: Uint8Array,
): Generator<void, SharedFailure | undefined> {
  const control = new Int32Array(job.control);
  const progress = new BigInt64Array(job.progress);
  const expected = job.stamps[index]!;
  let file: number | undefined;
  try {
    file = openRegular(job.paths[index]!);
    const hash = createHash("sha256");
    let size = 0;
    while (size < expected.size) {
      const read = fs.readSync(file, buffer, 0, buffer.length, null);
      if (read === 0) break;
      hash.update(read === buffer.length ? buffer : buffer.subarray(0, read));
      size += read;
      Atomics.add(progress, 0, BigInt(read));
      if (Atomics.load(control, STOP) !== 0) return undefined;
      yield;
    }
    const after = fs.fstatSync(file);
    if (size !== expected.size || !sameStamp(expected, stampOf(after))) return failure(index, "changed");
    new Uint8Array(job.digests, index * DIGEST_BYTES, DIGEST_BYTES).set(hash.digest());
    Atomics.store(new Int32Array(job.states), index, FileState.done);
    return undefined;
  } catch (error) {
    return failure(index, "error", error);
  } finally {
    if (file !== undefined) fs.closeSync(file);
  }
}

/** The stamp of a `stat` result of Deno or Node. */
export function stampOf(
  info: { ino: number | null; size: number; mtime: Date | null; ctime: Date | null },
): Stamp {
  return {
    ino: info.ino ?? 0,
    size: info.size,
    mtime: info.mtime?.getTime() ?? 0,
    ctime: info.ctime?.getTime() ?? 0,
  };
}

export function sameStamp(a: Stamp, b: Stamp): boolean {
  return a.ino === b.ino && a.size === b.size && a.mtime === b.mtime && a.ctime === b.ctime;
}

/** Opens for reading: no symlink is followed, and a FIFO does not block. */
export function openRegular(path: string): number {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  return fs.openSync(path, O_RDONLY | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0));
}

function failure(index: number, problem: "changed" | "error", error?: unknown): SharedFailure {
  return {
    index,
    problem,
    message: error instanceof Error ? error.message : String(error ?? ""),
    errno: errorCode(error) ?? null,
  };
}
