/** Where an entry must never be written: into a store, or in the place of what the command itself stands on. */
import { basename, dirname, join } from "node:path";
import { UsageError } from "#/core/errors.ts";
import { attempt, lookAt } from "#/core/system_error.ts";

export interface GuardedPlaces {
  /** The meta repository's root, or the working folder; absolute. */
  readonly folder: string;
  /** Stores that are in use; those that are not folders (`s3://…`) are of no matter. */
  readonly stores: readonly string[];
}

/**
 * Also with `--replace`: what would go is more than anybody means by it, the store and its entries among it.
 * @param target absolute
 * @throws {UsageError} the target is within a store or backout's own folder, or holds one of them, the workspace, or the
 *   working folder
 */
export function assertTargetIsApart(target: string, { folder, stores }: GuardedPlaces): void {
  const place = placeOf(target);
  const own = [join(folder, ".backout"), ...stores.filter((it) => it.startsWith("/"))];
  for (const path of own) {
    if (isWithin(place, realOf(path))) throw refused(target, `it is in ${path}, which is backout's own`);
  }
  if (lookAt(place)?.isDirectory !== true) return;
  for (const path of [...own, folder, Deno.cwd()]) {
    const real = realOf(path);
    if (real === place) throw refused(target, "the command was started there, or works on it");
    if (isWithin(real, place)) throw refused(target, `${path} is in it`);
  }
}

function refused(target: string, why: string): UsageError {
  return new UsageError(`Cannot write to ${target}: ${why}`, {
    hint: "Give another --target, for example a new folder.",
    context: { target },
  });
}

/** A target is replaced where its name is: a symlink there is not followed, those above it are. */
function placeOf(target: string): string {
  return join(realOf(dirname(target)), basename(target));
}

/** The real path; of what is not there yet, that of the nearest folder above it. */
function realOf(path: string): string {
  const above = dirname(path);
  if (above === path) return path;
  if (lookAt(path) === undefined) return join(realOf(above), basename(path));
  try {
    return attempt("look at", path, () => Deno.realPathSync(path));
  } catch (error) {
    // A symlink to nothing: where it is counts.
    if (lookAt(path)?.isSymlink === true) return join(realOf(above), basename(path));
    throw error;
  }
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
}
