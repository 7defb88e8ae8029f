/**
 * SHA-256 of many files on both cores: this thread and one worker take files from one list, largest first.
 * Memory is bounded: each thread has one buffer, whatever the size of the files.
 */
import { RollbackBackupError, StorageError } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import { SystemError, systemError } from "#/core/system_error.ts";
import {
  BUFFER_BYTES,
  bytesDone,
  type DigestJob,
  digestOf,
  hashOne,
  isDone,
  newJob,
  type SharedFailure,
  stampOf,
  stopJob,
  takeNext,
} from "#/core/digest_shared.ts";

/** Below this many bytes a second thread costs more than it gives. */
const WORKER_WORTH_BYTES = 8 << 20;
/** How long this thread hashes before it lets signals and timers in, in milliseconds. */
const MAX_BUSY_MS = 30;

/** A file was changed by somebody else while it was read: its digest would mean nothing. */
export class FileChangedError extends RollbackBackupError {
  constructor(path: string) {
    super(`Cannot trust ${path}: it changed while it was read`, {
      hint: "Stop what writes to it, then run the command again.",
      context: { path, changed: true },
    });
  }
}

/** A folder, symlink, device or FIFO is where a file should be. */
export class NotAFileError extends StorageError {
  override readonly kind = "not_a_file";
  constructor(path: string, what: string) {
    super(`Cannot read ${path}: it is ${what}, not a regular file`, {
      hint: "Put the file itself there, or leave it out.",
      context: { path, is: what },
    });
  }
}

export interface FileDigest {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Lower-case hex. */
  readonly sha256: string;
  /** What `lstat` said before reading; it still held afterwards. */
  readonly stat: Deno.FileInfo;
}

export interface DigestOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes hashed so far, and all bytes. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** False keeps to this thread. @default true */
  readonly worker?: boolean;
}

/**
 * Hashes regular files; in the order of `paths`. Never follows a symlink, never blocks on a FIFO.
 * @throws {NotAFileError} {@link FileChangedError} {@link SystemError}
 */
export async function digestFiles(
  paths: readonly string[],
  options: DigestOptions = {},
): Promise<FileDigest[]> {
  throwIfStopped(options.signal);
  const stats = paths.map(lstatRegular);
  const order = paths.map((_, i) => i).sort((a, b) => stats[b]!.size - stats[a]!.size);
  const job = newJob(order.map((i) => paths[i]!), order.map((i) => stampOf(stats[i]!)));
  await hashAll(job, stats.reduce((sum, stat) => sum + stat.size, 0), options);
  const result = new Array<FileDigest>(paths.length);
  order.forEach((original, index) => {
    const stat = stats[original]!;
    result[original] = { path: paths[original]!, size: stat.size, sha256: digestOf(job, index), stat };
  });
  return result;
}

/** What a regular file is. @throws {NotAFileError} for anything else */
export function lstatRegular(path: string): Deno.FileInfo {
  let info: Deno.FileInfo;
  try {
    info = Deno.lstatSync(path);
  } catch (error) {
    throw systemError(error, "read", path);
  }
  if (!info.isFile) throw new NotAFileError(path, whatItIs(info));
  return info;
}

/** In words, for messages. */
export function whatItIs(info: Deno.FileInfo): string {
  if (info.isFile) return "a file";
  if (info.isDirectory) return "a folder";
  if (info.isSymlink) return "a symlink";
  if (info.isFifo === true) return "a FIFO";
  if (info.isSocket === true) return "a socket";
  return "a device";
}

async function hashAll(job: DigestJob, total: number, options: DigestOptions): Promise<void> {
  const helper = total >= WORKER_WORTH_BYTES && job.paths.length > 1 && options.worker !== false
    ? startHelper(job)
    : undefined;
  const progress = () => options.onProgress?.(bytesDone(job), total);
  try {
    await hashHere(job, options.signal, progress);
    if (helper !== undefined) await waitFor(helper, job, options.signal, progress);
    await hashLeftOvers(job, options.signal);
    progress();
  } finally {
    stopJob(job);
    helper?.worker.terminate();
  }
}

/** This thread's share of the list. */
async function hashHere(
  job: DigestJob,
  signal: AbortSignal | undefined,
  progress: () => void,
): Promise<void> {
  const buffer = new Uint8Array(BUFFER_BYTES);
  let rested = performance.now();
  for (let index = takeNext(job); index !== undefined; index = takeNext(job)) {
    const steps = hashOne(job, index, buffer);
    for (;;) {
      const step = steps.next();
      if (step.done) {
        if (step.value !== undefined) throw failureError(job, step.value);
        break;
      }
      if (performance.now() - rested < MAX_BUSY_MS) continue;
      progress();
      await rest();
      rested = performance.now();
      if (signal?.aborted === true) {
        steps.return(undefined);
        throwIfStopped(signal);
      }
    }
    throwIfStopped(signal);
  }
}

interface Helper {
  readonly worker: Worker;
  /** Resolves when the worker has nothing more to do, failed to start, or broke. */
  readonly ended: Promise<SharedFailure | null>;
  over: boolean;
  /** Waits until it ended, or that many milliseconds; leaves no timer behind. */
  soon(ms: number): Promise<void>;
}

function startHelper(job: DigestJob): Helper | undefined {
  let worker: Worker;
  try {
    worker = new Worker(
      new URL(import.meta.url.endsWith(".ts") ? "./digest_worker.ts" : "./digest_worker.js", import.meta.url),
      { type: "module" },
    );
  } catch {
    return undefined; // one thread does it too
  }
  const ended = new Promise<SharedFailure | null>((resolve) => {
    worker.onmessage = (event: MessageEvent<SharedFailure | null>) => resolve(event.data);
    worker.onerror = (event) => {
      event.preventDefault(); // its files are hashed here instead
      resolve(null);
    };
    worker.onmessageerror = () => resolve(null);
  });
  const helper: Helper = {
    worker,
    ended,
    over: false,
    soon: (ms) =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, ms);
        ended.then(() => (clearTimeout(timer), resolve()));
      }),
  };
  ended.then(() => helper.over = true);
  worker.postMessage(job);
  return helper;
}

/** Waits for the files that the worker has taken, not for a worker that took none. */
async function waitFor(
  helper: Helper,
  job: DigestJob,
  signal: AbortSignal | undefined,
  progress: () => void,
): Promise<void> {
  while (!helper.over && job.paths.some((_, index) => !isDone(job, index))) {
    await helper.soon(20);
    progress();
    throwIfStopped(signal);
  }
  const failed = helper.over ? await helper.ended : null;
  if (failed !== null) throw failureError(job, failed);
}

/** What a broken worker took and did not finish. */
async function hashLeftOvers(job: DigestJob, signal: AbortSignal | undefined): Promise<void> {
  const buffer = new Uint8Array(BUFFER_BYTES);
  for (let index = 0; index < job.paths.length; index++) {
    if (isDone(job, index)) continue;
    const steps = hashOne(job, index, buffer);
    let step = steps.next();
    while (!step.done) {
      await rest();
      throwIfStopped(signal);
      step = steps.next();
    }
    if (step.value !== undefined) throw failureError(job, step.value);
  }
}

function failureError(job: DigestJob, failure: SharedFailure): Error {
  const path = job.paths[failure.index]!;
  if (failure.problem === "changed") return new FileChangedError(path);
  return new SystemError(
    "read",
    path,
    Object.assign(new Error(failure.message), failure.errno === null ? {} : { code: failure.errno }),
  );
}

function rest(ms = 0): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
