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
import { lookAtSource, openSource, type SourceFile } from "./source_file.ts";
import type { FileToWrite } from "./store.ts";

/** In a smaller file there is little to gain. */
const WORTH_BYTES = 8 * 1024 * 1024;
/** Of one file's chunks so much is one thread's work at a time. */
const JOB_BYTES = 16 * 1024 * 1024;
/** Where so many chunks in a row are others, the rest of the job will be too: not read in vain. */
const MAX_MISSES = 16;

export interface PlacedChunk {
  /** Its place in `content.chunks`. */
  readonly index: number;
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

/** Work for a thread, and the file that it is about. */
export interface PlannedBaseJob {
  readonly file: FileToWrite;
  readonly job: BaseJob;
}

/**
 * What a file has many times (zeros, mostly) is read once from its pack, and not many times from the base. A file of one
 * chunk is made with its bytes.
 * @param find where a chunk is; must throw where it is nowhere
 */
export function planBases(
  files: readonly FileToWrite[],
  find: (id: string) => Pick<ChunkPlace, "size">,
): readonly PlannedBaseJob[] {
  return files.flatMap((file) => {
    const { base, content, path, sparse = false } = file;
    if (base === undefined || content.size < WORTH_BYTES || content.chunks.length === 1) return [];
    const repeated = repeatedIn(content.chunks);
    const jobs: PlannedBaseJob[] = [];
    let chunks: PlacedChunk[] = [];
    let [at, from] = [0, 0];
    content.chunks.forEach((id, index) => {
      const { size } = find(id);
      if (!repeated.has(id)) chunks.push({ index, id, at, size });
      at += size;
      if (at - from < JOB_BYTES && index < content.chunks.length - 1) return;
      if (chunks.length > 0) jobs.push({ file, job: { base, path, sparse, chunks } });
      [chunks, from] = [[], at];
    });
    return jobs;
  });
}

function repeatedIn(ids: readonly string[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const id of ids) {
    if (seen.has(id)) repeated.add(id);
    seen.add(id);
  }
  return repeated;
}

/** Grows to the largest chunk, for the next ones. */
let buffer = new Uint8Array(0);

/** @returns which of the job's chunks were written */
export function copyFromBase(
  { base, path, sparse, chunks }: BaseJob,
  cipher: ChunkCipher,
): readonly PlacedChunk[] {
  using source = openBase(base);
  if (source === undefined) return [];
  using file = attempt("write", path, () => openOutput(path));
  const written: PlacedChunk[] = [];
  let misses = 0;
  for (const chunk of chunks) {
    const { id, at, size } = chunk;
    if (misses === MAX_MISSES) break;
    if (buffer.length < size) buffer = new Uint8Array(size);
    const bytes = buffer.subarray(0, size);
    if (!isThere(source, bytes, at) || hexOf(cipher.id(sha256(bytes))) !== id) {
      misses++;
      continue;
    }
    misses = 0;
    attempt("write", path, () => writePieces(file, bytes, { at, sparse }));
    written.push(chunk);
  }
  return written;
}

/** Undefined where there is no regular file that can be read: nothing is taken from it then. */
function openBase(path: string): SourceFile | undefined {
  try {
    if (lookAtSource(path).kind !== "file") return undefined; // to open a FIFO or a device may do something
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
