/** Reads frames of a pack and compares every chunk with its id. Synchronous: the caller is a worker, or rests in between. */
import { SystemError } from "#/core/system_error.ts";
import { chunksOf, type OpenedFrame, openFrame } from "./frame_reader.ts";
import { readPackFile } from "./read_pack_file.ts";
import type { ChunkCipher } from "./cipher.ts";
import type { Frame } from "./index_format.ts";
import { hexOf } from "./layout.ts";

/** Frames of one pack that lie near each other, in their order. Passes through `postMessage`. */
export interface CheckJob {
  /** The pack's file where it is on this machine. */
  readonly packPath: string | undefined;
  /** Otherwise the bytes of the frames, from `offset` of the pack; undefined when there are none. */
  readonly bytes: Uint8Array<ArrayBuffer> | undefined;
  readonly offset: number;
  readonly length: number;
  readonly frames: readonly Frame[];
}

/** What is wrong with a chunk. */
export interface DamagedChunk {
  /** Hex. */
  readonly id: string;
  readonly reason: string;
  /** The pack's file that has it; undefined when none has. */
  readonly pack?: string;
}

export interface CheckedFrames {
  readonly chunks: number;
  readonly damaged: readonly DamagedChunk[];
}

export function checkFrames(job: CheckJob, cipher: ChunkCipher): CheckedFrames {
  const damaged: DamagedChunk[] = [];
  let chunks = 0;
  const read = readJob(job);
  for (const frame of job.frames) {
    const ids = chunkIds(frame);
    chunks += ids.length;
    const opened = "reason" in read ? read : openPart(read.bytes, job, frame, cipher);
    if ("reason" in opened) {
      damaged.push(...ids.map((id) => ({ id, reason: opened.reason })));
      continue;
    }
    for (const { id, bytes } of chunksOf(cipher, frame, opened.bytes)) {
      if (bytes === undefined) damaged.push({ id: hexOf(id), reason: "its bytes are not what its id says" });
    }
  }
  return { chunks, damaged };
}

function openPart(bytes: Uint8Array, job: CheckJob, frame: Frame, cipher: ChunkCipher): OpenedFrame {
  const from = frame.offset - job.offset;
  const sealed = bytes.subarray(from, from + frame.stored);
  return sealed.length < frame.stored ? { reason: "the pack is cut off" } : openFrame(cipher, frame, sealed);
}

function readJob(job: CheckJob): { readonly bytes: Uint8Array } | { readonly reason: string } {
  if (job.packPath === undefined) {
    return job.bytes === undefined ? { reason: "the pack is missing" } : { bytes: job.bytes };
  }
  try {
    const bytes = readPackFile(job.packPath, job.offset, job.length);
    return bytes === undefined ? { reason: "the pack is missing" } : { bytes };
  } catch (error) {
    if (error instanceof SystemError && error.errno === "EIO") {
      return { reason: "the disk cannot read the pack" };
    }
    throw error;
  }
}

function chunkIds(frame: Frame): readonly string[] {
  return frame.sizes.map((_, i) => hexOf(frame.ids.subarray(i * 32, i * 32 + 32)));
}
