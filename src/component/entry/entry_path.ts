/** Paths and symlinks of an entry: nothing of it is, or leads, outside of its folder. Pure checks of text. */

const MAX_PATH_BYTES = 4096;
const MAX_NAME_BYTES = 255;
/** As many symlinks as Linux follows for one path. */
const MAX_LINKS = 40;

/** Why `path` cannot be one below an entry's folder; undefined when it can. */
export function entryPathProblem(path: unknown): string | undefined {
  if (typeof path !== "string" || path === "") return "it is empty";
  if (path.includes("\0")) return "it contains a NUL";
  if (!path.isWellFormed()) return "it is not valid Unicode";
  if (path.startsWith("/")) return "it is absolute";
  if (bytesOf(path) > MAX_PATH_BYTES) return `it is longer than ${MAX_PATH_BYTES} bytes`;
  for (const part of path.split("/")) {
    if (part === "..") return "it climbs out";
    if (part === "" || part === ".") return "it has an empty part";
    if (bytesOf(part) > MAX_NAME_BYTES) return `a part of it is longer than ${MAX_NAME_BYTES} bytes`;
  }
  return undefined;
}

/**
 * Why a symlink of an entry is refused: followed as the system would follow it, through all other symlinks of the entry,
 * it leaves the folder; undefined when it stays. What it leads to may be missing.
 * @param links all symlinks of the entry: what they say, by path
 */
export function linkProblem(path: string, links: ReadonlyMap<string, string>): string | undefined {
  const target = links.get(path)!;
  if (target === "" || target.includes("\0")) return "it says not where it leads";
  if (target.startsWith("/")) return "it is absolute";
  const place = path.split("/").slice(0, -1);
  const todo = target.split("/").reverse();
  for (let followed = 0; todo.length > 0;) {
    const part = todo.pop()!;
    if (part === "" || part === ".") continue;
    if (part === "..") {
      if (place.pop() === undefined) return "it leads out of the folder";
      continue;
    }
    const next = links.get([...place, part].join("/"));
    if (next === undefined) {
      place.push(part);
      continue;
    }
    if (++followed > MAX_LINKS) return "it leads through too many symlinks";
    if (next.startsWith("/")) return "it leads out of the folder";
    todo.push(...next.split("/").reverse());
  }
  return undefined;
}

/** The order of an entry's paths: that of their UTF-8 bytes (`LC_ALL=C sort`). */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x === y) continue;
    // Halves of a pair stand for characters above all others.
    const [high, low] = [isSurrogate(x), isSurrogate(y)];
    return high === low ? x - y : high ? 1 : -1;
  }
  return a.length - b.length;
}

function isSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff;
}

function bytesOf(text: string): number {
  return text.length * 3 <= MAX_NAME_BYTES ? text.length : new TextEncoder().encode(text).length;
}
