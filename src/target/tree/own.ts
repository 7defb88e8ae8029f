/** What backout keeps of its own, and what a symlink hides, by the names under which a walk comes upon it. */
import { followedPath, placeOf, realPath } from "#/core/real_path.ts";
import { type Exclude, excluding } from "./exclude.ts";
import { lookAt } from "./look.ts";
import { isWithin } from "./path.ts";

/**
 * The places, and those of them that lie below a root under the root's name too: a symlink above the root, or on the way
 * to the place, gives them another name, and a restore would take the store away as something that came later.
 */
export function ownBelow(roots: readonly string[], places: readonly string[]): ReadonlySet<string> {
  const own = new Set(places);
  const reals = places.map(realPath);
  for (const root of roots) {
    const real = placeOf(root);
    for (const place of reals) {
      if (isWithin(place, real)) own.add(root === "/" ? place : root + place.slice(real.length));
    }
  }
  return own;
}

/** Of roots that are symlinks, those that lead to what no root holds: the link is kept, and not what it leads to. */
export function leadingElsewhere(roots: readonly string[]): readonly string[] {
  const links = new Set(roots.filter((it) => lookAt(it)?.type === "symlink"));
  if (links.size === 0) return [];
  const held = roots.filter((it) => !links.has(it)).map(realPath);
  return [...links].filter((it) => {
    const target = followedPath(it);
    return target !== undefined && !held.some((root) => isWithin(target, root));
  });
}

/** The globs, and what backout keeps of its own. */
export function excludingOwn(
  options: {
    readonly roots: readonly string[];
    readonly exclude: readonly string[];
    readonly own: readonly string[];
  },
): Exclude {
  const own = ownBelow(options.roots, options.own);
  const globs = excluding(options.exclude);
  return (path, root) => own.has(path) || globs(path, root);
}
