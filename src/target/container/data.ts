/**
 * The content of a volume or of a mounted folder as a tree. A volume's new content is filled in beside the old one, and
 * then the two change places; what was there stays beside it until the operation is over.
 */
import { join } from "node:path";
import { IntegrityError, RollbackError } from "#/core/errors.ts";
import { removeFolder } from "#/core/output_file.ts";
import * as posix from "#/core/posix.ts";
import type { ContentRef } from "#/store/model.ts";
import type { CaptureContext, PlanContext, TargetContext } from "../target.ts";
import { type CapturedTree, captureTree } from "../tree/capture.ts";
import { excludingOwn } from "../tree/own.ts";
import { compareTree, type Comparison, type TreeTask } from "../tree/compare.ts";
import { excluding } from "../tree/exclude.ts";
import { fingerprintTree } from "../tree/fingerprint.ts";
import { temporaryForRoot } from "../tree/leftover.ts";
import { lookAt } from "../tree/look.ts";
import { isWithin, parentOf } from "../tree/path.ts";
import { type RestoreOutcome, restoreTree } from "../tree/restore.ts";
import { leftoversBeside } from "../tree/roots.ts";
import { ownPaths } from "../tree/task.ts";
import { readRoot, readTree } from "../tree/tree.ts";

/** Beside a volume's `_data`: what takes its place next, or what was in it before. */
const BESIDE = ".backout-kept";
/** Only for the moment of the exchange. */
const LEAVING = ".backout-leaving";

/** What backout keeps of its own is no data, wherever it lies. */
function own(context: TargetContext & Partial<PlanContext>): readonly string[] {
  return [...ownPaths(context.folder, context.store), ...context.own ?? []];
}

function options(
  roots: readonly string[],
  exclude: readonly string[],
  context: TargetContext & Partial<PlanContext>,
) {
  return { roots, globs: [], exclude, oneFileSystem: true, own: own(context) };
}

export function captureData(
  roots: readonly string[],
  exclude: readonly string[],
  previous: ContentRef | undefined,
  context: CaptureContext,
  digests?: number,
): Promise<CapturedTree> {
  const asked = options(roots, exclude, context);
  return captureTree(digests === undefined ? asked : { ...asked, digests }, previous, context);
}

export function fingerprintData(
  roots: readonly string[],
  exclude: readonly string[],
  context: TargetContext,
): Promise<string> {
  return fingerprintTree(options(roots, exclude, context), context);
}

/** A tree that was saved at `from`, and is to be at `to`. */
export interface DataPlace {
  readonly tree: ContentRef;
  /** The saved roots that are wanted, and where each belongs now. */
  readonly moves: readonly { readonly from: string; readonly to: string }[];
  readonly exclude: readonly string[];
}

/** @throws {IntegrityError} the tree is not of these places */
export async function dataTask(place: DataPlace, context: PlanContext): Promise<TreeTask> {
  const { moves } = place;
  // Where nothing of it is wanted, it need not be there.
  const tree = moves.length === 0 ? undefined : await readRoot(context.store, place.tree);
  // Where the tree says nothing of a place, everything there would count as come later, and go.
  const odd = moves.find(({ from }) => !tree!.head.roots.includes(from));
  if (odd !== undefined) throw notItsTree(odd.from);
  const moved = (path: string) => {
    const move = moves.find(({ from }) => isWithin(path, from));
    return move === undefined ? undefined : move.to + path.slice(move.from.length);
  };
  const roots = moves.map(({ to }) => to);
  const isLeftOut = excluding([...place.exclude, ...tree?.head.exclude ?? []]);
  const isOwn = excludingOwn({ roots, exclude: [], own: own(context) });
  return {
    store: context.store,
    signal: context.signal,
    saved: async function* () {
      if (tree === undefined) return;
      for await (const entries of readTree(context.store, tree)) {
        yield entries.flatMap((entry) => {
          const path = moved(entry.path);
          if (path === undefined) return [];
          const link = entry.link === undefined ? undefined : moved(entry.link);
          return [{ ...entry, path, ...(link === undefined ? {} : { link }) }];
        });
      }
    },
    roots,
    guarded: roots,
    exclude: (path, root) => isLeftOut(path, root) || isOwn(path, root),
    oneFileSystem: true,
    only: [],
    temporaryForRoot: (root) => temporaryForRoot(root, []),
    rootLeftovers: leftoversBeside(roots, []),
    removing: true,
  };
}

/** Whether there may be something in its place that the tree knows nothing of, and that has to stay. */
export async function leavesOut(
  tree: ContentRef,
  exclude: readonly string[],
  { store }: Pick<PlanContext, "store">,
): Promise<boolean> {
  return exclude.length > 0 || (await readRoot(store, tree)).head.exclude.length > 0;
}

function notItsTree(path: string): IntegrityError {
  return new IntegrityError(`The snapshot does not hold ${JSON.stringify(path)}, although it says so`, {
    hint: "Run `backout snapshot verify`, and restore another snapshot.",
  });
}

export async function compareData(place: DataPlace, context: PlanContext): Promise<Comparison> {
  return await compareTree(await dataTask(place, context));
}

/** Whether there is anything to do; what only moves the times of folders does not count. */
export function isSame({ actions, notes }: Comparison): boolean {
  return notes.leftovers.length === 0 && actions.every((it) => it.kind === "times");
}

/** Makes it so, in place. @returns files changed and removed, and bytes */
export async function placeData(place: DataPlace, context: PlanContext): Promise<RestoreOutcome> {
  const task = await dataTask(place, context);
  return await restoreTree(task, await compareTree(task), context);
}

/** Where a volume's next content is made. */
export function besideOf(mountpoint: string): string {
  return join(parentOf(mountpoint), BESIDE);
}

/**
 * Makes the saved content beside the volume's, and looks whether it came out right. The volume is not touched.
 * @returns bytes written
 */
export async function fillBeside(
  mountpoint: string,
  saved: { readonly path: string; readonly tree: ContentRef },
  exclude: readonly string[],
  context: PlanContext,
): Promise<number> {
  settleExchange(mountpoint);
  const place: DataPlace = {
    tree: saved.tree,
    moves: [{ from: saved.path, to: besideOf(mountpoint) }],
    exclude,
  };
  try {
    const { bytes } = await placeData(place, context);
    if (!isSame(await compareData(place, context))) {
      throw new RollbackError(`The content of ${parentOf(mountpoint)} did not come out as it was saved`, {
        hint: "The volume was not touched. Look for errors of the disk, then restore again.",
      });
    }
    return bytes;
  } catch (error) {
    // A full disk is not to stay full.
    dropBeside(mountpoint);
    throw error;
  }
}

/** The volume's content and what is beside it change places. Nothing may have the volume mounted. */
export function exchange(mountpoint: string): void {
  settleExchange(mountpoint);
  const [beside, leaving] = [besideOf(mountpoint), join(parentOf(mountpoint), LEAVING)];
  posix.rename(mountpoint, leaving);
  posix.rename(beside, mountpoint);
  posix.rename(leaving, beside);
  posix.syncFolder(parentOf(mountpoint));
}

/** Whether an exchange was cut off. */
export function isExchanging(mountpoint: string): boolean {
  return lookAt(join(parentOf(mountpoint), LEAVING)) !== undefined;
}

/** Ends, or takes back, an exchange that was cut off. What left the volume is never removed here. */
export function settleExchange(mountpoint: string): void {
  const leaving = join(parentOf(mountpoint), LEAVING);
  if (lookAt(leaving) === undefined) return;
  const now = lookAt(mountpoint);
  // The engine may have made the folder anew meanwhile, for a container that it started.
  if (now?.type === "folder" && posix.readFolder(mountpoint)?.length === 0) posix.rmdir(mountpoint);
  if (lookAt(mountpoint) === undefined) posix.rename(leaving, mountpoint);
  else {
    dropBeside(mountpoint);
    posix.rename(leaving, besideOf(mountpoint));
  }
  posix.syncFolder(parentOf(mountpoint));
}

/** Where a volume's content is, also in the middle of an exchange that was cut off. Looks only. */
export function settledMountpoint(mountpoint: string): string {
  const leaving = join(parentOf(mountpoint), LEAVING);
  return lookAt(mountpoint) === undefined && lookAt(leaving) !== undefined ? leaving : mountpoint;
}

/** Removes what was kept beside a volume. */
export function dropBeside(mountpoint: string): void {
  const beside = besideOf(mountpoint);
  if (lookAt(beside)?.type === "folder") removeFolder(beside);
}

/** What this process put back, by place: a service that runs again goes on writing to it. */
const putBack = new Map<string, string>();

export function rememberPutBack(path: string, fingerprint: string): void {
  putBack.set(path, fingerprint);
}

/** Undefined: nothing was put back there. */
export function putBackAs(path: string): string | undefined {
  return putBack.get(path);
}
