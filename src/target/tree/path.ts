/** Absolute paths of a tree: their order, and what is refused of those that come from a store. */

/** Why this cannot be a path of a tree, undefined when it can. */
export function pathProblem(path: unknown): string | undefined {
  if (typeof path !== "string") return "it is not text";
  if (!path.startsWith("/")) return "it is not absolute";
  if (path === "/") return undefined;
  if (!path.isWellFormed()) return "it is not valid Unicode";
  if (path.includes("\0")) return "it has a NUL";
  if (path.length > 4095) return "it is too long";
  if (!path.includes("//") && !path.includes("/.") && !path.endsWith("/")) return undefined;
  for (const part of path.slice(1).split("/")) {
    if (part === "" || part === "." || part === "..") return `it has the part ${JSON.stringify(part)}`;
  }
  return undefined;
}

/** The order of a walk: a folder before what is in it, names by their code units. */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    if (x === SLASH) return -1;
    if (y === SLASH) return 1;
    return x - y;
  }
  return a.length - b.length;
}

const SLASH = 47;

/** True for the folder itself and all below it. */
export function isWithin(path: string, folder: string): boolean {
  if (folder === "/") return true;
  return path.startsWith(folder) &&
    (path.length === folder.length || path.charCodeAt(folder.length) === SLASH);
}

/** The folder that a path is in. */
export function parentOf(path: string): string {
  const at = path.lastIndexOf("/");
  return at <= 0 ? "/" : path.slice(0, at);
}

/** The last part of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

export function childOf(folder: string, name: string): string {
  return folder === "/" ? `/${name}` : `${folder}/${name}`;
}

/** In the order of a walk, without those that are within another. */
export function outermost(paths: Iterable<string>): readonly string[] {
  const kept: string[] = [];
  for (const path of [...paths].sort(comparePaths)) {
    const last = kept.at(-1);
    if (last === undefined || !isWithin(path, last)) kept.push(path);
  }
  return kept;
}

/** A number of 32 bits that spreads well (FNV-1a): where a tree is cut depends on it. */
export function hashOf(path: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < path.length; i++) hash = Math.imul(hash ^ path.charCodeAt(i), 0x01000193);
  hash ^= hash >>> 15;
  return Math.imul(hash, 0x2c1b3c6d) >>> 0;
}
