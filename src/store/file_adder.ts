/** Stores files: a few here, many on the worker threads. */
import { Pacer, throwIfStopped } from "#/core/pace.ts";
import { mapLimited } from "#/storage/limit.ts";
import type { BatchOptions } from "#/storage/object_store.ts";
import { addFilePart, addWholeFile, type FilePart, type PartResult, WHOLE_FILE_BYTES } from "./add_file.ts";
import type { ChunkTaker, StoredTally } from "./chunk_adder.ts";
import { addLargeFile, divideFiles, type FileBatch } from "./file_units.ts";
import type { EarlierVersion } from "./earlier_chunks.ts";
import type { ContentRef } from "./model.ts";
import type { FileToStore, StoredFile } from "./store.ts";
import type { ThreadPool } from "./thread_pool.ts";

/** Below these a thread costs more than it gives. */
const THREADS_WORTH_FILES = 400;
const THREADS_WORTH_BYTES = 24 * 1024 * 1024;
/** Large files and batches that are under way at the same time. */
const PARTS_AT_ONCE = 16;

/** Where the work is done. */
export interface FileAdderThreads {
  readonly local: () => ChunkTaker;
  /** Starts the threads when they are not there. */
  readonly pool: () => Promise<ThreadPool>;
  readonly isPoolRunning: boolean;
  /** Waits while packs are finished faster than they are taken in. */
  readonly room: () => Promise<void>;
  /** Where content was cut; undefined when not all of it is there any more. */
  readonly earlier: (content: ContentRef) => EarlierVersion | undefined;
  /** What the threads store is added to it. */
  readonly tally: StoredTally;
}

export async function addFiles(
  files: readonly FileToStore[],
  threads: FileAdderThreads,
  options: BatchOptions,
): Promise<readonly StoredFile[]> {
  const results = new Array<StoredFile>(files.length);
  const { batches, large } = divideFiles(files);
  const progress = progressOf(files, options);
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const isSmall = files.length < THREADS_WORTH_FILES && bytes < THREADS_WORTH_BYTES && large.length === 0;
  if (isSmall && !threads.isPoolRunning) {
    const pacer = new Pacer(options.signal);
    for (let i = 0; i < files.length; i++) {
      if (pacer.due()) await pacer.rest();
      await threads.room();
      results[i] = addWholeFile(files[i]!.path, threads.local());
      progress(files[i]!.size);
    }
  } else {
    const pool = await threads.pool();
    const gate = async () => {
      throwIfStopped(options.signal);
      await threads.room();
    };
    const run = partRunner(pool, gate, threads.tally, progress);
    const addBatch = async (batch: FileBatch) => {
      const paths = batch.indexes.map((index) => files[index]!.path);
      const answer = await pool.run({ kind: "files", paths }, { gate, tally: threads.tally });
      if (answer.kind !== "files") throw new Error("a thread of the store gave another answer");
      batch.indexes.forEach((index, i) => results[index] = answer.files[i]!);
      progress(batch.bytes);
    };
    const addLarge = async (index: number) => {
      const { path, previous } = files[index]!;
      const earlier = previous === undefined ? undefined : threads.earlier(previous);
      results[index] = await addLargeFile(path, run, earlier);
    };
    const work = [
      ...large.map((index) => () => addLarge(index)),
      ...batches.map((batch) => () => addBatch(batch)),
    ];
    await mapLimited(work, PARTS_AT_ONCE, (one) => one());
  }
  await addGrown(files, results, threads, options);
  throwIfStopped(options.signal);
  return results;
}

/** Files that were small when they were listed and are large now. */
async function addGrown(
  files: readonly FileToStore[],
  results: StoredFile[],
  threads: FileAdderThreads,
  options: BatchOptions,
): Promise<void> {
  for (const [index, result] of results.entries()) {
    if (result.kind !== "changing" || result.content.size <= WHOLE_FILE_BYTES) continue;
    if (files[index]!.size > WHOLE_FILE_BYTES) continue;
    const run = async (part: FilePart) => {
      await threads.room();
      throwIfStopped(options.signal);
      return addFilePart(part, threads.local());
    };
    results[index] = await addLargeFile(files[index]!.path, run);
  }
}

function partRunner(
  pool: ThreadPool,
  gate: () => Promise<void>,
  tally: StoredTally,
  progress: (bytes: number) => void,
): (part: FilePart) => Promise<PartResult> {
  return async (part) => {
    const answer = await pool.run({ kind: "part", part }, { gate, tally });
    if (answer.kind !== "part") throw new Error("a thread of the store gave another answer");
    progress(part.to - part.from);
    return answer.part;
  };
}

function progressOf(files: readonly FileToStore[], { onProgress }: BatchOptions): (bytes: number) => void {
  const total = files.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  return (bytes) => {
    done = Math.min(total, done + bytes);
    onProgress?.(done, total);
  };
}
