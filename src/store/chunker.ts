/**
 * Where large content is cut: at places that the bytes themselves choose, so that an insertion moves the cuts with it.
 *
 * FastCDC with normalized chunking: W. Xia et al., "FastCDC: a Fast and Efficient Content-Defined Chunking Approach for
 * Data Deduplication", USENIX ATC 2016; here with 32-bit gear sums and the tables and masks of this file. The cuts are a
 * part of the format: another table would find nothing of what older snapshots stored.
 */

/** Lengths in bytes; `average` is a power of two. */
export interface ChunkSizes {
  readonly min: number;
  readonly average: number;
  readonly max: number;
}

/** Bytes that one sum depends on. */
const WINDOW = 32;
/** How much harder a cut is before the average length, and easier after it, in bits. */
const NORMALIZATION = 2;

const KIB = 1024;
const GIB = 1024 ** 3;

/** The longer content is, the longer are its later chunks: a list of ids stays short whatever the size. */
const SIZES: readonly { readonly until: number; readonly sizes: ChunkSizes }[] = [
  { until: 4 * GIB, sizes: chunkSizes(64 * KIB) },
  { until: 32 * GIB, sizes: chunkSizes(256 * KIB) },
  { until: Infinity, sizes: chunkSizes(2048 * KIB) },
];

/** The longest chunk there can be. */
export const MAX_CHUNK_BYTES = 4 * 2048 * KIB;
/** The shortest that is not the last of its content. */
export const MIN_CHUNK_BYTES = 16 * KIB;

/** What `config.json` says of the cuts. */
export const CHUNKER_DESCRIPTOR = { kind: "gear32", average: 64 * KIB } as const;

const GEAR = gearTable();

/** The lengths of a chunk that begins there. @param offset in the content, in bytes */
export function sizesAt(offset: number): ChunkSizes {
  return SIZES.find(({ until }) => offset < until)!.sizes;
}

/**
 * The end of the chunk that begins at `start`.
 * @param end where the bytes end that are there; a chunk that is not cut before is cut here, so give at least `max` bytes
 *   unless the content itself ends
 */
export function findCut(bytes: Uint8Array, start: number, end: number, sizes: ChunkSizes): number {
  const limit = Math.min(end, start + sizes.max);
  if (limit - start <= sizes.min) return limit;
  const bits = Math.log2(sizes.average);
  const center = Math.min(limit, start + sizes.average);
  const hard = topBits(bits + NORMALIZATION);
  const easy = topBits(bits - NORMALIZATION);
  const first = start + sizes.min;
  let sum = 0;
  for (let i = first - WINDOW; i < first; i++) sum = ((sum << 1) + GEAR[bytes[i]!]!) | 0;
  let i = first;
  for (; i < center; i++) {
    sum = ((sum << 1) + GEAR[bytes[i]!]!) | 0;
    if ((sum & hard) === 0) return i + 1;
  }
  for (; i < limit; i++) {
    sum = ((sum << 1) + GEAR[bytes[i]!]!) | 0;
    if ((sum & easy) === 0) return i + 1;
  }
  return limit;
}

function chunkSizes(average: number): ChunkSizes {
  return { min: average / 4, average, max: average * 4 };
}

/** The highest bits: those that all bytes of the window have moved. */
function topBits(count: number): number {
  return (-1 << (32 - count)) | 0;
}

/** 256 fixed numbers: SplitMix32, from the seed 0. */
function gearTable(): Int32Array {
  const table = new Int32Array(256);
  let state = 0;
  for (let i = 0; i < 256; i++) {
    state = (state + 0x9e3779b9) | 0;
    let z = state ^ (state >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    table[i] = z ^ (z >>> 15);
  }
  return table;
}
