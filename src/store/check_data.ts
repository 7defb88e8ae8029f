/** Reads the content of packs, all of it or a random share, on both cores. */
import { throwIfStopped } from "#/core/pace.ts";
import { mapLimited } from "#/storage/limit.ts";
import { checkFooter } from "./check_footer.ts";
import { type CheckedFrames, checkFrames, type CheckJob, type DamagedChunk } from "./check_frames.ts";
import { type ChunkSet, idsOf } from "./chunk_set.ts";
import type { DamagedFile } from "./index_files.ts";
import { decodeFrames, type Frame, type PackIndex } from "./index_format.ts";
import { packName } from "./layout.ts";
import type { StoreParts } from "./store_parts.ts";
import { ThreadPool } from "./thread_pool.ts";

export interface CheckDataOptions {
  /** In percent. @default 100 */
  readonly samplePercent?: number;
  /** Only frames with one of these chunks. */
  readonly wanted: ChunkSet | undefined;
  /** In [0, 1). @default Math.random */
  readonly random?: () => number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface CheckedData {
  readonly chunks: number;
  /** As stored. */
  readonly bytes: number;
  /** Of what could be read. */
  readonly percent: number;
  readonly damaged: readonly DamagedChunk[];
  /** Of the packs that were read, those whose end is damaged. */
  readonly torn: readonly DamagedFile[];
}

/** Frames of a pack that are read in one go. */
interface Run {
  readonly pack: string;
  /** Set for the first of its pack, whose end is looked at with it. */
  readonly first: PackIndex | undefined;
  readonly offset: number;
  readonly length: number;
  readonly frames: readonly Frame[];
  /** How much is read of this pack by all of its runs, in bytes. */
  readonly ofPack: number;
}

const RUN_BYTES = 4 * 1024 * 1024;
const RUNS_AT_ONCE = 4;
/** Below this a thread costs more than it gives. */
const THREADS_WORTH_BYTES = 8 * 1024 * 1024;

/** @param packs such as are there with their right size */
export async function checkData(
  parts: StoreParts,
  packs: readonly PackIndex[],
  options: CheckDataOptions,
): Promise<CheckedData> {
  const { chosen, percent } = choose(packs, options);
  const runs = chosen.flatMap(({ pack, frames }) => runsOf(pack, frames));
  const torn: DamagedFile[] = [];
  const total = runs.reduce((sum, run) => sum + run.length, 0);
  const damaged: DamagedChunk[] = [];
  let chunks = 0;
  let bytes = 0;
  const note = (run: Run, checked: CheckedFrames) => {
    damaged.push(...checked.damaged.map((chunk) => ({ ...chunk, pack: run.pack })));
    chunks += checked.chunks;
    bytes += run.length;
    options.onProgress?.(bytes, total);
  };
  using pool = total < THREADS_WORTH_BYTES ? undefined : new ThreadPool();
  await mapLimited(runs, RUNS_AT_ONCE, async (run) => {
    const end = run.first === undefined ? undefined : await checkFooter(parts, run.first);
    if (end !== undefined) torn.push(end);
    note(run, await check(parts, run, pool));
  }, options.signal);
  throwIfStopped(options.signal);
  return { chunks, bytes, percent, damaged, torn };
}

async function check(parts: StoreParts, run: Run, pool: ThreadPool | undefined): Promise<CheckedFrames> {
  const job = await jobOf(parts, run);
  if (pool === undefined) return checkFrames(job, parts.cipher);
  const transfer = job.bytes === undefined ? [] : [job.bytes.buffer];
  const answer = await pool.run({ kind: "check", material: parts.cipher.material, job }, { transfer });
  if (answer.kind !== "check") throw new Error("a thread of the store answered something else");
  return answer.checked;
}

async function jobOf({ backend }: StoreParts, run: Run): Promise<CheckJob> {
  const { pack, offset, length, ofPack } = run;
  // Their ids are a part of the whole index, which would be sent along.
  const frames = run.frames.map((frame) => ({ ...frame, ids: frame.ids.slice() }));
  const packPath = backend.localPath(pack);
  if (packPath !== undefined) return { packPath, bytes: undefined, offset, length, frames };
  const bytes = await backend.read(pack, { offset, length, inAll: ofPack });
  return { packPath, bytes: bytes === undefined ? undefined : new Uint8Array(bytes), offset, length, frames };
}

/** Frames are chosen one by one, so that every part of the store is as likely to be read. */
function choose(
  packs: readonly PackIndex[],
  { samplePercent = 100, wanted, random = Math.random }: CheckDataOptions,
): {
  readonly chosen: readonly { readonly pack: PackIndex; readonly frames: readonly Frame[] }[];
  readonly percent: number;
} {
  let all = 0;
  let taken = 0;
  const take = (frame: Frame) => {
    all += frame.stored;
    if (samplePercent < 100 && random() * 100 >= samplePercent) return false;
    taken += frame.stored;
    return true;
  };
  const isWanted = (frame: Frame) =>
    wanted === undefined || [...idsOf(frame.ids)].some((id) => wanted.has(id));
  const chosen = packs.map((pack) => ({
    pack,
    frames: decodeFrames(pack.frames, pack.size).filter((frame) => isWanted(frame) && take(frame)),
  }));
  return { chosen, percent: all === 0 ? 100 : Math.round(taken / all * 1000) / 10 };
}

function runsOf(pack: PackIndex, frames: readonly Frame[]): readonly Run[] {
  const runs: Omit<Run, "ofPack">[] = [];
  let open: Frame[] = [];
  const end = () => {
    const [first] = open;
    const last = open.at(-1);
    if (first !== undefined && last !== undefined) {
      runs.push({
        pack: packName(pack.id),
        first: runs.length === 0 ? pack : undefined,
        offset: first.offset,
        length: last.offset + last.stored - first.offset,
        frames: open,
      });
    }
    open = [];
  };
  for (const frame of frames) {
    const [first] = open;
    if (first !== undefined && frame.offset + frame.stored - first.offset > RUN_BYTES) end();
    open.push(frame);
  }
  end();
  const ofPack = runs.reduce((sum, { length }) => sum + length, 0);
  return runs.map((run) => ({ ...run, ofPack }));
}
