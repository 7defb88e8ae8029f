/**
 * The last phase of a collection, with the store to itself. The new index is there before an old one goes, and both are
 * before a pack goes: wherever this ends, what an index names is there.
 */
import { SCRATCH_FOLDER } from "./backend_name.ts";
import { readDoomed, writeDoomed } from "./doomed.ts";
import { type FinishedIndex, writeIndex } from "./index_file.ts";
import { loadIndexFiles } from "./index_files.ts";
import type { PackIndex } from "./index_format.ts";
import { packName } from "./layout.ts";
import { mark, type Marked } from "./mark.ts";
import type { HeldStoreLock } from "./store_lock.ts";
import type { StoreParts } from "./store_parts.ts";

export interface SweepOptions {
  /** Held exclusively. */
  readonly lock: HeldStoreLock;
  readonly signal?: AbortSignal | undefined;
}

/** Each writer leaves an index file; more of them than this become one. */
const MAX_INDEXES = 16;
/** Left by writers that died: older than this, in milliseconds. */
const SCRATCH_AGE_MS = 60 * 60 * 1000;

/**
 * @param before what was found with the lock shared; snapshots that came since are looked at now
 * @param ripe packs that have been doomed for long enough
 */
export async function sweepPacks(
  parts: StoreParts,
  before: Marked,
  ripe: readonly string[],
  { lock, signal }: SweepOptions,
): Promise<{ readonly packs: number; readonly bytes: number }> {
  const { backend } = parts;
  const last = new Set(ripe);
  const marked = await mark(parts, last, signal, before.live);
  const needless = new Set([
    ...marked.verdicts.filter((it) => it.kind === "dead").map((it) => it.id),
    ...marked.unfinished,
  ]);
  const going = ripe.filter((id) => needless.has(id) && marked.sizes.has(id));
  await lock.assertHeld();
  await leaveIndex(parts, new Set(going), lock);
  await lock.assertHeld();
  await backend.remove(going.map(packName));
  const gone = new Set(going);
  const doomed = await readDoomed(backend);
  const left = [...doomed].filter(([id]) => !gone.has(id) && needless.has(id));
  if (doomed.size > 0) await writeDoomed(backend, new Map(left));
  await sweepScratch(parts);
  return { packs: going.length, bytes: going.reduce((sum, id) => sum + marked.sizes.get(id)!, 0) };
}

/** No index names these packs any more; and there are few index files. */
async function leaveIndex(
  { backend, cipher, level }: StoreParts,
  going: ReadonlySet<string>,
  lock: HeldStoreLock,
): Promise<void> {
  const files = await loadIndexFiles(backend, cipher);
  const isMany = files.length > MAX_INDEXES;
  const replaced = files.filter((file) => isMany || file.packs.some((pack) => going.has(pack.id)));
  if (replaced.length === 0) return;
  const packs = packsLeft(replaced, going);
  if (packs.length > 0) await writeIndex(backend, packs, cipher, level);
  await lock.assertHeld();
  await backend.remove(replaced.map((file) => file.name));
}

function packsLeft(files: readonly FinishedIndex[], going: ReadonlySet<string>): readonly PackIndex[] {
  const packs = new Map<string, PackIndex>();
  for (const pack of files.flatMap((file) => file.packs)) if (!going.has(pack.id)) packs.set(pack.id, pack);
  return [...packs.values()];
}

async function sweepScratch({ backend }: StoreParts): Promise<void> {
  const old: string[] = [];
  for await (const { name, modified } of backend.list(SCRATCH_FOLDER)) {
    if (Date.now() - modified > SCRATCH_AGE_MS) old.push(name);
  }
  await backend.remove(old);
}
