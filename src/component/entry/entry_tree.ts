/**
 * What an entry holds, and the hash that names it. The hash is SHA-256 of lines, the first
 *
 *     backout entry 1 folder            (or: file)
 *
 * then one for each path, sorted by bytes, each ended by a line feed:
 *
 *     d MODE - "PATH"                   a folder below the entry's
 *     f MODE SHA256 "PATH"              a file
 *     l 0000 SHA256 "PATH"              a symlink: the digest of what it says
 *
 * MODE is the permission bits, four octal digits; PATH is a JSON string, `"."` where the entry is one file. Owners and
 * times are not part of it, nor is the mode of the entry's own folder.
 */
import { createHash } from "node:crypto";
import { IntegrityError } from "#/core/errors.ts";
import { isJsonObject } from "#/core/json.ts";
import { sha256Hex } from "#/core/sha256.ts";
import type { ContentRef } from "#/store/model.ts";
import type { StoreReader, StoreWriter } from "#/store/store.ts";
import { isContentRef, treeSegments } from "#/store/tree_refs.ts";
import { comparePaths, entryPathProblem, linkProblem } from "./entry_path.ts";

export type EntryShape = "folder" | "file";

/** A file with its digest; everything else of it is in the entry. */
export interface EntryFile {
  readonly type: "file";
  readonly path: string;
  readonly mode: number;
  readonly size: number;
  readonly content: ContentRef & { readonly sha256: string };
}

/** One path of an entry, relative to its folder; `.` where the entry is one file. */
export type EntryItem =
  | { readonly type: "folder"; readonly path: string; readonly mode: number }
  | EntryFile
  | { readonly type: "symlink"; readonly path: string; readonly target: string };

/** Sorted by path. */
export interface EntryTree {
  readonly shape: EntryShape;
  readonly items: readonly EntryItem[];
}

const SEGMENT_ITEMS = 1024;
const MAX_ROOT_BYTES = 256 << 20;
const MAX_SEGMENT_BYTES = 64 << 20;
const HEX = /^[0-9a-f]{64}$/;

/** The hash that names an entry. */
export function entryHash({ shape, items }: EntryTree): string {
  const hash = createHash("sha256").update(`backout entry 1 ${shape}\n`);
  for (const item of items) hash.update(hashLine(item));
  return hash.digest("hex");
}

function hashLine(item: EntryItem): string {
  const path = JSON.stringify(item.path);
  switch (item.type) {
    case "folder":
      return `d ${octal(item.mode)} - ${path}\n`;
    case "file":
      return `f ${octal(item.mode)} ${item.content.sha256} ${path}\n`;
    case "symlink":
      return `l 0000 ${sha256Hex(item.target)} ${path}\n`;
    default:
      return item satisfies never;
  }
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

/** Files and bytes of an entry. */
export function sizesOf({ items }: EntryTree): { readonly files: number; readonly bytes: number } {
  const files = items.filter((item) => item.type === "file");
  return { files: files.length, bytes: files.reduce((sum, file) => sum + file.size, 0) };
}

/** Stores a tree in the form that collection, checks and copies of the store know. */
export async function writeTree(tree: EntryTree, writer: Pick<StoreWriter, "addBytes">): Promise<ContentRef> {
  const lines: unknown[] = [{ format: 1, kind: "entry", shape: tree.shape }];
  for (let at = 0; at < tree.items.length; at += SEGMENT_ITEMS) {
    lines.push({ segment: await writer.addBytes(encode(tree.items.slice(at, at + SEGMENT_ITEMS))) });
  }
  return await writer.addBytes(encode(lines));
}

function encode(lines: readonly unknown[]): Uint8Array {
  return new TextEncoder().encode(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
}

/**
 * Reads a tree, and trusts nothing of it: a path or a symlink that climbs out, or another order, is damage.
 * @throws {IntegrityError}
 */
export async function readTree(store: StoreReader, root: ContentRef): Promise<EntryTree> {
  const bytes = await store.readBytes(root, { maxBytes: MAX_ROOT_BYTES });
  const [head] = decode(bytes);
  if (!isJsonObject(head) || head.kind !== "entry" || (head.shape !== "folder" && head.shape !== "file")) {
    throw damaged("its head is not that of an entry");
  }
  const items: EntryItem[] = [];
  for (const segment of treeSegments(bytes)) {
    for (const line of decode(await store.readBytes(segment, { maxBytes: MAX_SEGMENT_BYTES }))) {
      items.push(itemOf(line));
    }
  }
  const tree: EntryTree = { shape: head.shape, items };
  const problem = treeProblem(tree);
  if (problem !== undefined) throw damaged(problem);
  return tree;
}

/** Why a tree cannot be one; undefined when it can. */
export function treeProblem({ shape, items }: EntryTree): string | undefined {
  if (shape === "file") {
    const isOne = items.length === 1 && items[0]!.type === "file" && items[0]!.path === ".";
    return isOne ? undefined : "it is one file, and holds something else";
  }
  const folders = new Set<string>();
  const links = new Map<string, string>();
  let last = "";
  for (const item of items) {
    const named = JSON.stringify(item.path).slice(0, 200);
    const problem = entryPathProblem(item.path);
    if (problem !== undefined) return `the path ${named}: ${problem}`;
    if (comparePaths(last, item.path) >= 0) return `${named} is not in its place`;
    last = item.path;
    const above = item.path.slice(0, Math.max(0, item.path.lastIndexOf("/")));
    if (above !== "" && !folders.has(above)) return `${named} is not in a folder of the entry`;
    if (item.type === "folder") folders.add(item.path);
    if (item.type === "symlink") links.set(item.path, item.target);
  }
  for (const path of links.keys()) {
    const problem = linkProblem(path, links);
    if (problem !== undefined) return `the symlink ${JSON.stringify(path).slice(0, 200)}: ${problem}`;
  }
  return undefined;
}

function decode(bytes: Uint8Array): unknown[] {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as unknown);
  } catch (error) {
    throw damaged("it is not JSON lines", error);
  }
}

function itemOf(line: unknown): EntryItem {
  if (!isJsonObject(line) || typeof line.path !== "string") throw damaged("a line of it has no path");
  const { path, type, mode, size, target, content } = line;
  if (type === "symlink" && typeof target === "string") return { type, path, target };
  if (!Number.isSafeInteger(mode) || (mode as number) < 0 || (mode as number) > 0o777) {
    throw damaged(`${JSON.stringify(path).slice(0, 200)} has no mode`);
  }
  if (type === "folder") return { type, path, mode: mode as number };
  if (type !== "file" || !isContentRef(content) || !HEX.test(content.sha256 ?? "") || size !== content.size) {
    throw damaged(`${JSON.stringify(path).slice(0, 200)} is not a file with its content`);
  }
  const ref: ContentRef = content;
  return {
    ...{ type, path, mode: mode as number, size: ref.size },
    content: { ...ref, sha256: ref.sha256! },
  };
}

function damaged(why: string, cause?: unknown): IntegrityError {
  return new IntegrityError(`Cannot use an entry of the store: ${why}`, {
    hint:
      "Get it from another store (--remote), or add it again; `backout snapshot verify` tells what is damaged.",
    ...(cause === undefined ? {} : { cause }),
  });
}
