/**
 * Moving: copy what is not there yet, look again, delete what was copied. Both ends are looked at by listings, so that a
 * move of what was copied before costs one delete per thousand and a handful of requests.
 */
import { StorageError } from "#/core/errors.ts";
import { throwIfStopped } from "#/core/pace.ts";
import { type BucketAccess, checkedKey, isPrecondition, withSignal } from "./access.ts";
import type { BucketObject, RemoveRequest } from "./bucket.ts";
import { haveSameBytes, isUnchanged, quickCompare } from "./compare.ts";
import { type CopyJob, copyObjects } from "./copy.ts";
import { lookUp } from "./look_up.ts";
import { refuseFailures, removeObjects } from "./remove.ts";
import { occupied } from "#/storage/conflict.ts";
import { mapLimited } from "#/storage/limit.ts";
import type { BatchOptions, Move, ObjectStat } from "#/storage/object_store.ts";

interface Run {
  readonly access: BucketAccess;
  readonly options: BatchOptions;
  /** Keys at `from` that are not what was expected. */
  readonly changed: Set<string>;
  readonly removals: RemoveRequest[];
}

/**
 * `ObjectStore.moveFiles`.
 * @returns the `from` keys that were found changed against `expected`, sorted
 */
export async function moveFiles(
  access: BucketAccess,
  moves: readonly Move[],
  options: BatchOptions,
): Promise<readonly string[]> {
  throwIfStopped(options.signal);
  for (const move of moves) {
    checkedKey(move.from);
    checkedKey(move.to);
  }
  const run: Run = { access, options, changed: new Set(), removals: [] };
  const ends = await lookAtBoth(run, moves);
  for (const { move, from, to } of ends) {
    if (from === undefined && to === undefined) throw lost(move);
  }
  const absent = ends.filter(({ to }) => to === undefined);
  const copied = await copyAbsent(run, absent);
  await mapLimited(ends.filter(({ to }) => to !== undefined), access.jobs, (end) => settle(run, end));
  await mapLimited(copied, access.jobs, (end) => settle(run, end));
  await removeSources(run, moves.length);
  return [...run.changed].sort();
}

interface Ends {
  readonly move: Move;
  readonly from: BucketObject | undefined;
  readonly to: BucketObject | undefined;
}

async function lookAtBoth(run: Run, moves: readonly Move[]): Promise<readonly Ends[]> {
  const { signal } = run.options;
  const there = await lookUp(run.access, moves.flatMap((move) => [move.from, move.to]), { signal });
  return moves.map((move) => ({ move, from: there.get(move.from), to: there.get(move.to) }));
}

/** Copies, and looks at the sources again: what was written meanwhile is not what was copied. */
async function copyAbsent(run: Run, absent: readonly Ends[]): Promise<readonly Ends[]> {
  if (absent.length === 0) return [];
  const { access, options } = run;
  for (const { move, from } of absent) noteChange(run, move, from!);
  const jobs: CopyJob[] = absent.map(({ move, from }) => ({
    from: from!,
    seen: from,
    to: move.to,
    sha256: null,
  }));
  const { signal } = options;
  const made = await copyObjects(access, jobs, signal === undefined ? {} : { signal });
  const sources = await lookUp(access, absent.map(({ move }) => move.from), { signal });
  return absent.map(({ move }) => ({ move, from: sources.get(move.from), to: made.get(move.to) }));
}

/** Decides about an object whose bytes are at `to` already. */
async function settle(run: Run, { move, from, to }: Ends): Promise<void> {
  if (from === undefined) {
    if (await isOther(run, to!, move.expected)) run.changed.add(move.from);
    return;
  }
  noteChange(run, move, from);
  const compare = { signal: run.options.signal, believesNotes: !run.changed.has(move.from) };
  if (await haveSameBytes(run.access, from, to!, compare)) {
    run.removals.push({ key: from.key, tag: from.tag });
    return;
  }
  const isOldKept = run.changed.has(move.from) && !await isOther(run, to!, move.expected);
  if (!isOldKept) throw occupied(move.to);
  // What was to be moved is safe at `to`; what somebody wrote in its place since stays there.
}

async function removeSources(run: Run, total: number): Promise<void> {
  const { options, removals } = run;
  const settled = total - removals.length;
  const failures = await removeObjects(run.access, removals, {
    ...options,
    onProgress: (done) => options.onProgress?.(settled + done, total),
  });
  if (removals.length === 0) options.onProgress?.(total, total);
  const changed = failures.filter(({ error }) => isPrecondition(error));
  for (const { key } of changed) run.changed.add(key); // written since we looked: it stays, and is reported
  refuseFailures(failures.filter(({ error }) => !isPrecondition(error)), removals.length);
}

function noteChange(run: Run, move: Move, from: BucketObject): void {
  if (!isUnchanged(from, move.expected)) run.changed.add(move.from);
}

/** True when it cannot be what was expected. */
async function isOther(
  { access, options }: Run,
  object: BucketObject,
  expected: ObjectStat,
): Promise<boolean> {
  if (object.size !== expected.size) return true;
  if (object.tag === expected.tag || quickCompare(expected, object) !== false) return false;
  // A listing may give a tag that says nothing of the bytes (see `haveSameBytes`).
  const detail = await access.bucket.head(object.key, withSignal(options.signal));
  return detail !== undefined && quickCompare(expected, detail) === false;
}

function lost(move: Move): StorageError {
  return new StorageError(`Cannot move ${move.from}: it is neither there nor at ${move.to}`, {
    hint: "Somebody else moved or removed it. `backout release verify` shows what is missing.",
    context: { from: move.from, to: move.to },
  });
}
