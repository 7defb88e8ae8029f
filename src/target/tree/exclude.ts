/** Globs of paths that a target leaves out: neither captured, nor touched, nor removed. */
import picomatch from "picomatch";

/** Says whether a path below a root is left out. What is below an excluded folder is not asked for. */
export type Exclude = (path: string, root: string) => boolean;

/**
 * A glob without a slash is matched against names (`*.log`), one that begins with a slash against whole paths, any other
 * against the path from the root that it is in (`cache/**`). A slash at its end means nothing.
 */
export function excluding(globs: readonly string[]): Exclude {
  const plain = [...new Set(globs)].map((it) => it.replace(/(?<=.)\/$/, ""));
  if (plain.length === 0) return () => false;
  const matcher = (keep: (glob: string) => boolean) => {
    const kept = plain.filter(keep);
    return kept.length === 0 ? undefined : picomatch(kept, { dot: true });
  };
  const names = matcher((it) => !it.includes("/"));
  const whole = matcher((it) => it.startsWith("/"));
  const below = matcher((it) => it.includes("/") && !it.startsWith("/"));
  return (path, root) => {
    if (path.length <= root.length) return false; // the root itself was asked for
    if (names?.(path.slice(path.lastIndexOf("/") + 1)) === true || whole?.(path) === true) return true;
    return below?.(path.slice(root === "/" ? 1 : root.length + 1)) === true;
  };
}
