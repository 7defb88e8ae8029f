/** Where paths lead. Looks only. */
import { basename, dirname, join } from "node:path";
import { isSystemFailure } from "#/core/system_error.ts";

/** The path without symlinks; what is not there yet is named from what is there of the way to it. */
export function realPath(path: string): string {
  const rest: string[] = [];
  for (let at = path;; at = dirname(at)) {
    const real = at === dirname(at) ? at : followedPath(at);
    if (real !== undefined) return rest.reduceRight((folder, name) => join(folder, name), real);
    rest.push(basename(at));
  }
}

/** Undefined: not there, a symlink to nowhere, or on a way that may not be gone. */
export function followedPath(path: string): string | undefined {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    if (!isSystemFailure(error)) throw error;
    return undefined;
  }
}

/** The path with its folder free of symlinks: what it names itself may be one. */
export function placeOf(path: string): string {
  const folder = dirname(path);
  return folder === path ? path : join(realPath(folder), basename(path));
}
