/** A thread of the snapshot store: does one request after the other, and answers each. */
import { addFilePart, addWholeFile } from "./add_file.ts";
import { copyFromBase } from "./base_file.ts";
import { checkFrames } from "./check_frames.ts";
import { ChunkAdder } from "./chunk_adder.ts";
import { cipherFrom } from "./cipher_from.ts";
import type { FinishedPack } from "./pack_writer.ts";
import { restoreFrames } from "./restore_frames.ts";
import { sendable } from "./thread_error.ts";
import type { ThreadAnswer, ThreadReply, ThreadRequest } from "./thread_messages.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent<ThreadRequest>) => void) | null;
  postMessage(message: ThreadReply): void;
}

const scope = globalThis as unknown as WorkerScope;
let adder: ChunkAdder | undefined;
let packs: FinishedPack[] = [];

scope.onmessage = ({ data }) => {
  let answer: ThreadAnswer | undefined;
  let error: unknown;
  let failed = false;
  const before = adder?.packs.storedBytes ?? 0;
  try {
    answer = work(data);
  } catch (thrown) {
    failed = true;
    error = thrown;
  }
  const finished = packs;
  packs = [];
  const storedBytes = adder?.packs.storedBytes ?? 0;
  scope.postMessage({
    answer,
    error: failed ? sendable(error) : undefined,
    packs: finished,
    storedBytes,
    addedBytes: storedBytes - before,
  });
};

function work(request: ThreadRequest): ThreadAnswer {
  switch (request.kind) {
    case "add": {
      const { scratch, prefix, level, tables } = request;
      const cipher = cipherFrom(request.material);
      adder = new ChunkAdder({ scratch, prefix, cipher, level, onPack: (pack) => packs.push(pack) }, tables);
      return { kind: "done" };
    }
    case "tables":
      theAdder().useTables(request.tables);
      return { kind: "done" };
    case "files":
      return { kind: "files", files: request.paths.map((path) => addWholeFile(path, theAdder())) };
    case "part":
      return { kind: "part", part: addFilePart(request.part, theAdder()) };
    case "finish":
      theAdder().finish();
      return { kind: "done" };
    case "abort":
      adder?.packs.abort();
      return { kind: "done" };
    case "base":
      return { kind: "base", written: copyFromBase(request.job, cipherFrom(request.material)) };
    case "restore":
      return { kind: "restored", undressed: restoreFrames(request.job, cipherFrom(request.material)) };
    case "check":
      return { kind: "check", checked: checkFrames(request.job, cipherFrom(request.material)) };
    default:
      return request satisfies never;
  }
}

function theAdder(): ChunkAdder {
  if (adder === undefined) {
    throw new Error("a thread of the store was asked to store before it was told where");
  }
  return adder;
}
