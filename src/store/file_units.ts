/** Divides files into units of work for threads, and puts the parts of large files together again. */
import { type FilePart, type PartResult, WARM_UP_BYTES, WHOLE_FILE_BYTES } from "./add_file.ts";
import type { EarlierVersion } from "./earlier_chunks.ts";
import type { ContentRef } from "./model.ts";
import { type FileStamp, lookAtSource, sameStamp } from "./source_file.ts";
import type { FileToStore, StoredFile } from "./store.ts";

/** Small files that one thread stores in one go; neighbours stay together, so that a restore reads them together. */
export interface FileBatch {
  /** Places in the list of files. */
  readonly indexes: readonly number[];
  readonly bytes: number;
}

const BATCH_FILES = 256;
const BATCH_BYTES = 8 * 1024 * 1024;
const PART_BYTES = 64 * 1024 * 1024;

/** The files that are stored whole, in their order; the others are large. */
export function divideFiles(
  files: readonly FileToStore[],
): { readonly batches: readonly FileBatch[]; readonly large: readonly number[] } {
  const batches: FileBatch[] = [];
  const large: number[] = [];
  let indexes: number[] = [];
  let bytes = 0;
  const end = () => {
    if (indexes.length > 0) batches.push({ indexes, bytes });
    indexes = [];
    bytes = 0;
  };
  files.forEach(({ size }, index) => {
    if (size > WHOLE_FILE_BYTES) return void large.push(index);
    indexes.push(index);
    bytes += size;
    if (indexes.length >= BATCH_FILES || bytes >= BATCH_BYTES) end();
  });
  end();
  return { batches, large };
}

/** How a thread is asked for a part of a file. */
export type PartRunner = (part: FilePart) => Promise<PartResult>;

/**
 * Stores a large file, its parts on all threads; twice when it changes meanwhile.
 * @param earlier how an earlier version was cut
 */
export async function addLargeFile(
  path: string,
  run: PartRunner,
  earlier?: EarlierVersion,
): Promise<StoredFile> {
  const first = await addOnce(path, run, earlier);
  return first.kind === "changing" ? await addOnce(path, run, earlier) : first;
}

type Piece = Extract<PartResult, { kind: "part" }>;

async function addOnce(
  path: string,
  run: PartRunner,
  earlier: EarlierVersion | undefined,
): Promise<StoredFile> {
  const now = lookAtSource(path);
  if (now.kind !== "file") return now;
  const { size } = now.stamp;
  const parts: FilePart[] = [];
  for (let from = 0; from < size || from === 0; from += PART_BYTES) {
    const to = Math.min(size, from + PART_BYTES);
    const before = earlier === undefined ? {} : { earlier: earlier.within(from - WARM_UP_BYTES, to) };
    parts.push({ path, from, to, exact: false, ...before });
  }
  // All of them settle, also when one fails: nobody may go on reading for nothing afterwards.
  const settled = await Promise.allSettled(parts.map(run));
  const pieces: Piece[] = [];
  for (const result of settled) {
    if (result.status === "rejected") throw result.reason;
    if (result.value.kind !== "part") return result.value;
    pieces.push(result.value);
  }
  const joined = await join(path, pieces, run);
  if ("kind" in joined) return joined;
  const isStable = joined.stamps.every((other) => sameStamp(now.stamp, other)) &&
    joined.content.size === size;
  return { kind: isStable ? "stored" : "changing", content: joined.content };
}

interface Joined {
  readonly content: ContentRef;
  readonly stamps: readonly FileStamp[];
}

/** Where the cuts of two parts do not meet, what lies between is stored as it is. */
async function join(
  path: string,
  pieces: readonly Piece[],
  run: PartRunner,
): Promise<Joined | Exclude<PartResult, Piece>> {
  const chunks: string[] = [];
  const stamps: FileStamp[] = [];
  let end = 0;
  const append = (ids: readonly string[], sizes: readonly number[]) => {
    ids.forEach((id, i) => {
      chunks.push(id);
      end += sizes[i]!;
    });
  };
  for (const piece of pieces) {
    stamps.push(piece.before, piece.after);
    let [skip, from] = [0, piece.from];
    while (skip < piece.ids.length && from < end) from += piece.sizes[skip++]!;
    if (skip === piece.ids.length) continue;
    if (from > end) {
      const gap = await run({ path, from: end, to: from, exact: true });
      if (gap.kind !== "part") return gap;
      stamps.push(gap.before, gap.after);
      append(gap.ids, gap.sizes);
    }
    append(piece.ids.slice(skip), piece.sizes.slice(skip));
  }
  return { content: { size: end, chunks }, stamps };
}
