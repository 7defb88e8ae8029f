/**
 * Takes chunks of a large file from the file that it will replace, where that has them at the same places: a pack that
 * is far away, or long unread, is not needed for what is there. Every chunk is checked like one of a pack.
 */
import { sha256 } from "#/core/sha256.ts";
import { openOutput } from "#/core/posix_files.ts";
import { attempt } from "#/core/system_error.ts";
import type { ChunkPlace } from "./chunk_index.ts";
import type { ChunkCipher } from "./cipher.ts";
import { hexOf } from "./layout.ts";
import { writePieces } from "./pieces.ts";
import { openSource, type SourceFile } from "./source_file.ts";
import type { FileToWrite } from "./store.ts";

/** In a smaller file there is little to gain. */
const WORTH_BYTES = 8 * 1024 * 1024;
/** Of one file's chunks so much is one thread's work at a time. */
const JOB_BYTES = 16 * 1024 * 1024;
/** Where so many chunks in a row are others, the rest of the job will be too: not read in vain. */
const MAX_MISSES = 16;

interface PlacedChunk {
  /** In hex. */
  readonly id: string;
  /** In the file, in bytes. */
  readonly at: number;
  readonly size: number;
}

export interface BaseJob {
  readonly base: string;
  /** The file that is being written. */
  readonly path: string;
  readonly sparse: boolean;
  readonly chunks: readonly PlacedChunk[];
}

/** Work for a thread, and which chunks of the file it is about. */
export interface PlannedBaseJob {
  readonly file: FileToWrite;
  /** The index of its first chunk; the others follow. */
  readonly first: number;
  readonly job: BaseJob;
}

/** @param find where a chunk is; must throw where it is nowhere */
export function planBases(
  files: readonly FileToWrite[],
  find: (id: string) => Pick<ChunkPlace, "size">,
): readonly PlannedBaseJob[] {
  return files.flatMap((file) => {
    const { base, content, path, sparse = false } = file;
    if (base === undefined || content.size < WORTH_BYTES) return [];
    const jobs: PlannedBaseJob[] = [];
    let chunks: PlacedChunk[] = [];
    let [at, from] = [0, 0];
    content.chunks.forEach((id, index) => {
      const { size } = find(id);
      chunks.push({ id, at, size });
      at += size;
      if (at - from < JOB_BYTES && index < content.chunks.length - 1) return;
      jobs.push({ file, first: index + 1 - chunks.length, job: { base, path, sparse, chunks } });
      [chunks, from] = [[], at];
    });
    return jobs;
  });
}

/** Grows to the largest chunk, for the next ones. */
let buffer = new Uint8Array(0);

/** @returns which of the job's chunks were written: their places in `chunks` */
export function copyFromBase(
  { base, path, sparse, chunks }: BaseJob,
  cipher: ChunkCipher,
): readonly number[] {
  using source = openBase(base);
  if (source === undefined) return [];
  using file = attempt("write", path, () => openOutput(path));
  const written: number[] = [];
  let misses = 0;
  for (const [index, { id, at, size }] of chunks.entries()) {
    if (misses === MAX_MISSES) break;
    if (buffer.length < size) buffer = new Uint8Array(size);
    const bytes = buffer.subarray(0, size);
    if (!isThere(source, bytes, at) || hexOf(cipher.id(sha256(bytes))) !== id) {
      misses++;
      continue;
    }
    misses = 0;
    attempt("write", path, () => writePieces(file, bytes, { at, sparse }));
    written.push(index);
  }
  return written;
}

/** Undefined where there is no regular file that can be read: nothing is taken from it then. */
function openBase(path: string): SourceFile | undefined {
  try {
    const source = openSource(path);
    if (source.stamp() !== "other") return source;
    source[Symbol.dispose]();
  } catch {
    // it went, or is not for this user
  }
  return undefined;
}

function isThere(source: SourceFile, into: Uint8Array, at: number): boolean {
  try {
    return source.readAt(into, at) === into.length;
  } catch {
    return false; // a disk that fails there: the pack has it
  }
}
