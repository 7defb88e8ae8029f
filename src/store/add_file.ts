/** Reads one file, or a part of one, and stores its chunks. Synchronous: the caller is a worker, or rests in between. */
import type { ChunkTaker } from "./chunk_adder.ts";
import { Cutter } from "./cutter.ts";
import { type EarlierChunks, EarlierCuts } from "./earlier_chunks.ts";
import type { ContentRef } from "./model.ts";
import {
  type FileStamp,
  lookAtSource,
  NOT_A_FILE,
  openSource,
  sameStamp,
  unreadable,
} from "./source_file.ts";
import type { StoredFile } from "./store.ts";

/** A file up to this size is one chunk: most files change as a whole, and only their number costs. */
export const WHOLE_FILE_BYTES = 8 * 1024 * 1024;
/** Where a part of a file is to begin, its cuts are looked for from so many bytes before: they have met by then. */
export const WARM_UP_BYTES = 2 * 1024 * 1024;
const READ_BYTES = 1024 * 1024;
const MAX_TRIES = 2;

/** SHA-256 of nothing. */
const EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
export const EMPTY_CONTENT: ContentRef = { size: 0, chunks: [], sha256: EMPTY_SHA256 };

/** A part of a large file. Chunks belong to the part in which they begin. */
export interface FilePart {
  readonly path: string;
  readonly from: number;
  readonly to: number;
  /** Begins and ends exactly there, wherever the bytes would be cut. */
  readonly exact: boolean;
  /** Chunks of an earlier version of the file, from before the part on. */
  readonly earlier?: EarlierChunks;
}

export type PartResult =
  | {
    readonly kind: "part";
    readonly from: number;
    readonly to: number;
    readonly ids: readonly string[];
    readonly sizes: readonly number[];
    readonly before: FileStamp;
    readonly after: FileStamp;
  }
  | Extract<StoredFile, { kind: "vanished" | "unreadable" }>;

/** One thread's buffer for whole files, as large as was needed. */
let buffer = new Uint8Array(64 * 1024);

/** A file of at most {@link WHOLE_FILE_BYTES}; when it grew beyond while nobody looked, what is there is read all the same. */
export function addWholeFile(path: string, adder: ChunkTaker): StoredFile {
  for (let tries = 1;; tries++) {
    const read = readWhole(path);
    if (read.kind !== "bytes") return read;
    if (!read.isStable && tries < MAX_TRIES) continue;
    const content = addSmallContent(read.bytes, adder);
    return read.isStable ? { kind: "stored", content, stamp: read.stamp } : { kind: "changing", content };
  }
}

/** Content that is one chunk. */
export function addSmallContent(bytes: Uint8Array, adder: ChunkTaker): ContentRef {
  if (bytes.length === 0) return EMPTY_CONTENT;
  const { id, sha256 } = adder.add(bytes);
  return { size: bytes.length, chunks: [id], sha256 };
}

type Read =
  | {
    readonly kind: "bytes";
    readonly bytes: Uint8Array;
    readonly isStable: boolean;
    readonly stamp: FileStamp;
  }
  | Extract<StoredFile, { kind: "vanished" | "unreadable" }>;

function readWhole(path: string): Read {
  try {
    using file = openSource(path);
    const stamp = file.stamp();
    if (stamp === "other") return NOT_A_FILE;
    // One byte more than there should be tells that it grew; more than a whole file is never read here.
    const wanted = Math.min(stamp.size, WHOLE_FILE_BYTES) + 1;
    if (buffer.length < wanted) {
      buffer = new Uint8Array(Math.min(WHOLE_FILE_BYTES + 1, Math.max(wanted, buffer.length * 2)));
    }
    // Whether it grew beyond meanwhile, its stamp tells; but some are made up as they are read, and say 0.
    const length = file.readAt(buffer.subarray(0, wanted), 0, Math.max(1, stamp.size));
    const after = file.stamp();
    const isStable = length === stamp.size && after !== "other" && sameStamp(stamp, after);
    return { kind: "bytes", bytes: buffer.subarray(0, length), isStable, stamp };
  } catch (error) {
    return unreadable(error);
  }
}

/** Stores the chunks that begin in a part of a file. */
export function addFilePart(part: FilePart, adder: ChunkTaker): PartResult {
  const before = lookAtSource(part.path);
  if (before.kind !== "file") return before;
  const ids: string[] = [];
  const sizes: number[] = [];
  const isIn = (offset: number) => offset >= part.from && offset < part.to;
  let begins: number | undefined;
  let ends = part.from;
  const warmUp = part.exact ? 0 : Math.min(part.from, WARM_UP_BYTES);
  const known = part.earlier === undefined
    ? undefined
    : new EarlierCuts(part.earlier, (sha256) => adder.idOf(sha256));
  const cutter = new Cutter(
    (bytes, offset) => {
      if (!isIn(offset)) return;
      begins ??= offset;
      ends = offset + bytes.length;
      ids.push(adder.add(bytes, known?.digestAt(offset)).id);
      sizes.push(bytes.length);
    },
    part.from - warmUp,
    known,
  );
  try {
    feed(part, part.from - warmUp, cutter);
  } catch (error) {
    const failed = fileFailure(error);
    if (failed === undefined) throw error;
    return failed;
  }
  const after = lookAtSource(part.path);
  return {
    ...{ kind: "part", from: begins ?? part.from, to: ends, ids, sizes, before: before.stamp },
    after: after.kind === "file" ? after.stamp : before.stamp,
  };
}

function feed(part: FilePart, from: number, cutter: Cutter): void {
  using file = reading(() => openSource(part.path));
  for (let at = from; cutter.offset < part.to;) {
    const left = part.exact ? part.to - at : READ_BYTES;
    const space = cutter.space().subarray(0, Math.min(READ_BYTES, left));
    const got = reading(() => file.readAt(space, at));
    cutter.filled(got);
    at += got;
    if (got < READ_BYTES) return cutter.end();
  }
}

/** A failure to read, which is the file's; writing to the store fails otherwise. */
class ReadFailure extends Error {}

function reading<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new ReadFailure("a file cannot be read", { cause });
  }
}

function fileFailure(error: unknown): Extract<StoredFile, { kind: "vanished" | "unreadable" }> | undefined {
  return error instanceof ReadFailure ? unreadable(error.cause) : undefined;
}
