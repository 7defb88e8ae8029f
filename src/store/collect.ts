/**
 * Takes away what no snapshot refers to. `docs/store_collection.md` says why nothing is lost, whoever works on the store
 * at the same time and wherever this is killed.
 *
 *  1. mark, with the lock shared: what snapshots refer to, and so which packs are doomed; `collect/doomed.json` says
 *     since when each of them is;
 *  2. move, with the lock shared: what is needed of mostly dead packs goes into new packs, and their index; the old
 *     packs are doomed from then on;
 *  3. sweep, with the lock exclusive: packs that have been doomed for the minimum age, and are so still, leave the index
 *     and then the store.
 */
import { LockedError, messageOf } from "#/core/errors.ts";
import { SystemError } from "#/core/system_error.ts";
import type { PackVerdict } from "./collect_plan.ts";
import { type Doomed, type DoomedPacks, type DoomReason, readDoomed, writeDoomed } from "./doomed.ts";
import { mark, type Marked } from "./mark.ts";
import { movePacks } from "./move_packs.ts";
import { lockStore } from "./store_lock.ts";
import type { StoreParts } from "./store_parts.ts";
import { sweepPacks } from "./sweep_packs.ts";

export interface CollectOptions {
  /** How long a pack must have been doomed before it is taken away, in milliseconds. Protects those who are reading. */
  readonly minAgeMs: number;
  /** Changes nothing, not even what is known to be doomed. */
  readonly dryRun?: boolean;
  /** Milliseconds since 1970. @default Date.now */
  readonly now?: () => number;
  readonly by?: string;
  readonly signal?: AbortSignal | undefined;
  /** How long to wait for writers before packs are taken away, in milliseconds. @default 0: they go the next time */
  readonly lockTimeoutMs?: number;
  /** See `StoreLockRequest`. */
  readonly onWait?: (holders: readonly string[]) => void;
}

/** What a collection found and did; sizes in bytes as stored. */
export interface CollectReport {
  readonly dry_run: boolean;
  readonly snapshots: number;
  /** In the store before it. */
  readonly packs: number;
  readonly bytes: number;
  /** Chunks that snapshots refer to. */
  readonly live_chunks: number;
  /** Packs that were taken away (in a dry run: would be). */
  readonly removed_packs: number;
  readonly removed_bytes: number;
  /** Mostly dead packs of which the rest was moved into new ones. */
  readonly moved_packs: number;
  /** Bytes of the new ones. */
  readonly written_bytes: number;
  /** Doomed packs that are not yet old enough. */
  readonly waiting_packs: number;
  readonly waiting_bytes: number;
  /** When the first of them will be, RFC 3339; null when there is none. */
  readonly waiting_until: string | null;
  /** Who was at work, so that nothing was taken away this time; null when it was. */
  readonly deferred: string | null;
  readonly warnings: readonly string[];
}

/**
 * @throws {IntegrityError} a manifest, a tree or an index cannot be read: then nobody knows what is needed
 * @throws {LockedError} another collection is taking packs away
 */
export async function collect(parts: StoreParts, options: CollectOptions): Promise<CollectReport> {
  const now = options.now ?? Date.now;
  const first = await markAndMove(parts, options, now);
  const { doomed, sizes } = first;
  const isRipe = ({ since }: Doomed) => now() - since >= options.minAgeMs;
  const ripe = [...doomed].filter(([, it]) => isRipe(it)).map(([id]) => id);
  const waiting = [...doomed].filter(([, it]) => !isRipe(it));
  const bytesOf = (ids: readonly string[]) => ids.reduce((sum, id) => sum + (sizes.get(id) ?? 0), 0);
  const report: CollectReport = {
    ...first.report,
    waiting_packs: waiting.length,
    waiting_bytes: bytesOf(waiting.map(([id]) => id)),
    waiting_until: earliest(waiting.map(([, { since }]) => since + options.minAgeMs)),
  };
  if (ripe.length === 0) return report;
  if (options.dryRun === true) return { ...report, removed_packs: ripe.length, removed_bytes: bytesOf(ripe) };
  return { ...report, ...await sweep(parts, options, first.marked, ripe) };
}

interface FirstHalf {
  readonly marked: Marked;
  readonly doomed: DoomedPacks;
  readonly sizes: ReadonlyMap<string, number>;
  readonly report: CollectReport;
}

async function markAndMove(
  parts: StoreParts,
  options: CollectOptions,
  now: () => number,
): Promise<FirstHalf> {
  const { backend } = parts;
  const { dryRun = false, signal } = options;
  await using lock = dryRun ? undefined : await lockStore(backend, "shared", {
    ...lockRequest(options, "look for what no snapshot refers to"),
  });
  const before = await readDoomed(backend);
  const marked = await mark(parts, new Set(before.keys()), signal);
  const sparse = marked.verdicts.filter((it) => it.kind === "sparse");
  const moved = dryRun
    ? { ids: [], bytes: 0, warnings: [] }
    : await moveSparse(parts, marked, sparse, signal);
  const doomed = doomedNow(marked, new Set(moved.ids), before, now());
  if (!dryRun && !(before.size === 0 && doomed.size === 0)) {
    await lock?.assertHeld();
    await writeDoomed(backend, doomed);
  }
  const report: CollectReport = {
    dry_run: dryRun,
    snapshots: marked.snapshots,
    packs: marked.sizes.size,
    bytes: [...marked.sizes.values()].reduce((sum, size) => sum + size, 0),
    live_chunks: marked.live.ids.count,
    ...{ removed_packs: 0, removed_bytes: 0, waiting_packs: 0, waiting_bytes: 0, waiting_until: null },
    moved_packs: dryRun ? sparse.length : moved.ids.length,
    written_bytes: moved.bytes,
    deferred: null,
    warnings: [...marked.warnings, ...moved.warnings],
  };
  return { marked, doomed, sizes: marked.sizes, report };
}

/** Taking bytes away must work on a full disk, so moving them is left out there. */
async function moveSparse(
  parts: StoreParts,
  marked: Marked,
  sparse: readonly PackVerdict[],
  signal: AbortSignal | undefined,
): Promise<
  { readonly ids: readonly string[]; readonly bytes: number; readonly warnings: readonly string[] }
> {
  if (sparse.length === 0) return { ids: [], bytes: 0, warnings: [] };
  try {
    return { ...await movePacks(parts, marked, sparse.map((it) => it.id), signal), warnings: [] };
  } catch (error) {
    if (!(error instanceof SystemError && error.kind === "disk_full")) throw error;
    const warning = `Mostly unused packs were left as they are: ${messageOf(error)}`;
    return { ids: [], bytes: 0, warnings: [warning] };
  }
}

/** What was doomed before and is needed again is left out, so that its time begins anew when it is doomed again. */
function doomedNow(
  marked: Marked,
  moved: ReadonlySet<string>,
  before: DoomedPacks,
  now: number,
): DoomedPacks {
  const doomed = new Map<string, Doomed>();
  const add = (id: string, reason: DoomReason) => {
    const earlier = before.get(id);
    doomed.set(id, { since: Math.min(earlier?.since ?? now, now), reason: earlier?.reason ?? reason });
  };
  for (const id of marked.unfinished) add(id, "unfinished");
  for (const { id, kind } of marked.verdicts) {
    if (kind === "dead") add(id, "unreferenced");
    else if (moved.has(id)) add(id, "moved");
  }
  return doomed;
}

async function sweep(
  parts: StoreParts,
  options: CollectOptions,
  marked: Marked,
  ripe: readonly string[],
): Promise<Partial<CollectReport>> {
  try {
    await using lock = await lockStore(parts.backend, "exclusive", {
      ...lockRequest(options, "take away what no snapshot refers to"),
      timeoutMs: options.lockTimeoutMs ?? 0,
    });
    const swept = await sweepPacks(parts, marked, ripe, { lock, signal: options.signal });
    return { removed_packs: swept.packs, removed_bytes: swept.bytes };
  } catch (error) {
    if (!(error instanceof LockedError)) throw error;
    return { deferred: error.message };
  }
}

function lockRequest(options: CollectOptions, operation: string) {
  const { by, signal, onWait } = options;
  return {
    operation,
    signal,
    ...(by === undefined ? {} : { by }),
    ...(onWait === undefined ? {} : { onWait }),
  };
}

function earliest(moments: readonly number[]): string | null {
  return moments.length === 0 ? null : new Date(Math.min(...moments)).toISOString();
}
