/** The first phase of a collection: what is needed, and what is there. */
import { IntegrityError } from "#/core/errors.ts";
import { judgePacks, type PackVerdict } from "./collect_plan.ts";
import { loadIndexFiles, packSizes, packsOf } from "./index_files.ts";
import type { PackIndex } from "./index_format.ts";
import { packName } from "./layout.ts";
import { LiveChunks } from "./live_chunks.ts";
import type { StoreParts } from "./store_parts.ts";

export interface Marked {
  readonly live: LiveChunks;
  readonly snapshots: number;
  readonly packs: ReadonlyMap<string, PackIndex>;
  readonly verdicts: readonly PackVerdict[];
  /** Packs that no index names: of writers that died, or that are still at work. */
  readonly unfinished: readonly string[];
  /** Packs that are in the store. */
  readonly sizes: ReadonlyMap<string, number>;
  readonly warnings: readonly string[];
}

/**
 * @param last packs to be judged last
 * @param live what an earlier look found; more is added to it
 * @throws {IntegrityError} a manifest, a tree or an index cannot be read
 */
export async function mark(
  parts: StoreParts,
  last: ReadonlySet<string>,
  signal?: AbortSignal,
  live = new LiveChunks(parts.reader, signal),
): Promise<Marked> {
  const { backend, cipher } = parts;
  const { snapshots, damaged } = await parts.reader.listSnapshots({ kind: "all" });
  if (damaged.length > 0) throw unknownNeeds(backend.location, damaged);
  for (const snapshot of snapshots) await live.addSnapshot(snapshot);
  const packs = packsOf(await loadIndexFiles(backend, cipher));
  const sizes = await packSizes(backend);
  const whole = [...packs.values()].filter(({ id, size }) => sizes.get(id) === size);
  const warnings = [...packs.values()].filter(({ id, size }) => sizes.get(id) !== size).map(({ id }) =>
    `${packName(id)} is ${sizes.has(id) ? "cut off" : "missing"}: run \`backout snapshot verify\``
  );
  return {
    ...{ live, snapshots: snapshots.length, packs, sizes, warnings },
    verdicts: judgePacks(whole.map((index) => ({ index, isLast: last.has(index.id) })), live.ids),
    unfinished: [...sizes.keys()].filter((id) => !packs.has(id)),
  };
}

function unknownNeeds(location: string, damaged: readonly string[]): IntegrityError {
  return new IntegrityError(
    `Cannot collect the snapshot store ${location}: what ${damaged.join(", ")} needs cannot be read`,
    {
      hint: "Put the file back from a copy of the store, or delete that snapshot; nothing was taken away.",
      context: { damaged: [...damaged] },
    },
  );
}
