/** A folder as a plain value, to compare before and after. */
import { createHash } from "node:crypto";
import { isJsonObject, parseJson } from "#/core/json.ts";

export interface TreeOptions {
  /** Leave out a path (from the root, with slashes) and everything below it. */
  readonly ignore?: (path: string) => boolean;
  /** Replace a file's bytes before they are hashed; return the same bytes where nothing is to change. */
  readonly normalize?: (path: string, bytes: Uint8Array) => Uint8Array;
  /** Compare permission bits too. @default true */
  readonly modes?: boolean;
}

/** Path to `"folder 755"`, `"file 644 12 <sha256>"`, `"symlink -> target"` or `"other"`. */
export type Tree = Readonly<Record<string, string>>;

/** Reads everything below `root`; symlinks are recorded, never followed. */
export function readTree(root: string, options: TreeOptions = {}): Tree {
  const tree: Record<string, string> = {};
  walk(root, "", options, tree);
  return tree;
}

function walk(root: string, folder: string, options: TreeOptions, tree: Record<string, string>): void {
  const names = [...Deno.readDirSync(folder === "" ? root : `${root}/${folder}`)].map((it) => it.name).sort();
  for (const name of names) {
    const path = folder === "" ? name : `${folder}/${name}`;
    if (options.ignore?.(path) === true) continue;
    tree[path] = describe(root, path, options);
    if (Deno.lstatSync(`${root}/${path}`).isDirectory) walk(root, path, options, tree);
  }
}

function describe(root: string, path: string, options: TreeOptions): string {
  const full = `${root}/${path}`;
  const info = Deno.lstatSync(full);
  const mode = options.modes === false ? "" : ` ${((info.mode ?? 0) & 0o7777).toString(8)}`;
  if (info.isSymlink) return `symlink -> ${Deno.readLinkSync(full)}`;
  if (info.isDirectory) return `folder${mode}`;
  if (!info.isFile) return "other";
  const read = Deno.readFileSync(full);
  const bytes = options.normalize?.(path, read) ?? read;
  return `file${mode} ${bytes.length} ${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Fields of the index that only move forward: two states are equal when nothing else differs. */
export const FORWARD_FIELDS = ["serial", "last_updated", "last_operation", "audit_head"] as const;

/**
 * What a user sees of a repository: the published tree, the index without the fields that only move forward, and the
 * backups; without lock, history, audit and reserve.
 */
export function readRepositoryTree(root: string, options: TreeOptions = {}): Tree {
  return readTree(root, {
    ...options,
    ignore: (path) => isBookkeeping(path) || options.ignore?.(path) === true,
    normalize: (path, bytes) => {
      const own = path === "index.json" ? stripIndex(bytes) : bytes;
      return options.normalize?.(path, own) ?? own;
    },
  });
}

function isBookkeeping(path: string): boolean {
  return path === ".backout" || path === "index.md";
}

function stripIndex(bytes: Uint8Array): Uint8Array {
  const index = parseJson(new TextDecoder().decode(bytes));
  if (!isJsonObject(index)) return bytes;
  const forward: readonly string[] = FORWARD_FIELDS;
  const kept = Object.entries(index).filter(([key]) => !forward.includes(key));
  return new TextEncoder().encode(JSON.stringify(Object.fromEntries(kept)));
}

/** What differs, as lines for a message; empty when the trees are equal. */
export function treeDifferences(expected: Tree, actual: Tree): readonly string[] {
  const lines: string[] = [];
  for (const path of [...new Set([...Object.keys(expected), ...Object.keys(actual)])].sort()) {
    if (expected[path] === actual[path]) continue;
    lines.push(`${path}: expected ${expected[path] ?? "nothing"}, found ${actual[path] ?? "nothing"}`);
  }
  return lines;
}
