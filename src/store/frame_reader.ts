/** The chunks of a frame, each checked against its id. */
import { sha256 } from "#/core/sha256.ts";
import { messageOf, StorageError } from "#/core/errors.ts";
import type { StoreBackend } from "./backend.ts";
import type { ChunkCipher } from "./cipher.ts";
import { idsOf } from "./chunk_set.ts";
import { decompress } from "./codec.ts";
import type { Frame } from "./index_format.ts";
import { FRAME_CONTEXT, packName } from "./layout.ts";

export interface ReadChunk {
  readonly id: Uint8Array;
  /** A part of the frame; undefined when it is not what its id says. */
  readonly bytes: Uint8Array | undefined;
  /** SHA-256 of the bytes. */
  readonly sha256: Uint8Array;
}

/** The bytes of a frame, or why there are none. */
export type OpenedFrame = { readonly bytes: Uint8Array } | { readonly reason: string };

export async function readFrame(
  backend: StoreBackend,
  cipher: ChunkCipher,
  packId: string,
  frame: Frame,
): Promise<OpenedFrame> {
  const { offset, stored } = frame;
  const sealed = await backend.read(packName(packId), { offset, length: stored });
  if (sealed === undefined) return { reason: "the pack is missing" };
  if (sealed.length !== stored) return { reason: "the pack is cut off" };
  return openFrame(cipher, frame, sealed);
}

export function openFrame(cipher: ChunkCipher, frame: Frame, sealed: Uint8Array): OpenedFrame {
  try {
    return { bytes: decompress(frame.codec, cipher.open(sealed, FRAME_CONTEXT), frame.raw) };
  } catch (error) {
    if (error instanceof StorageError) throw error; // this runtime cannot read it; nothing is wrong with the frame
    return { reason: `a frame does not open: ${messageOf(error)}` };
  }
}

/** Every chunk of an opened frame, in its order. */
export function* chunksOf(cipher: ChunkCipher, frame: Frame, bytes: Uint8Array): Generator<ReadChunk, void> {
  let at = 0;
  let number = 0;
  for (const id of idsOf(frame.ids)) {
    const size = frame.sizes[number++]!;
    const part = bytes.subarray(at, at + size);
    at += size;
    const digest = sha256(part);
    const isRight = areEqual(cipher.id(digest), id);
    yield { id, bytes: isRight ? part : undefined, sha256: digest };
  }
}

function areEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
