/** Bytes into a file that is being written, with holes where it is to be sparse. */
import type { OutputFile } from "#/core/posix_files.ts";

/** Runs of zeros of this length are left out of a sparse file: a block of most filesystems. */
const HOLE_BYTES = 4096;

/** @param at where they go, in bytes from the begin of the file */
export function writePieces(
  file: OutputFile,
  bytes: Uint8Array,
  { at, sparse }: { readonly at: number; readonly sparse: boolean },
): void {
  if (!sparse) return file.writeAt(bytes, at);
  for (const [from, to] of withoutHoles(bytes, at)) file.writeAt(bytes.subarray(from, to), at + from);
}

/** The parts that are not whole blocks of zeros. @param at where the bytes begin in the file: blocks count from its begin */
function* withoutHoles(bytes: Uint8Array, at: number): Generator<readonly [number, number]> {
  let from: number | undefined;
  for (let block = 0; block < bytes.length;) {
    const end = Math.min(bytes.length, block + HOLE_BYTES - (at + block) % HOLE_BYTES);
    if (end - block === HOLE_BYTES && isZero(bytes, block, end)) {
      if (from !== undefined) yield [from, block];
      from = undefined;
    } else {
      from ??= block;
    }
    block = end;
  }
  if (from !== undefined) yield [from, bytes.length];
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false;
  return true;
}
