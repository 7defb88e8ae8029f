/** What differs between two trees, or between a tree and what is there. */
import type { StoreReader } from "#/store/store.ts";
import type { TargetChange } from "../target.ts";
import { type Comparison, sameTime } from "./compare.ts";
import { sameAttributes } from "./attributes.ts";
import type { TreeEntry } from "./entry.ts";
import { mergeTrees } from "./merge.ts";
import { isWithin } from "./path.ts";
import { changesOf } from "./plan.ts";
import { readTree, type TreeRoot } from "./tree.ts";

/** From one saved tree to another. */
export async function diffTrees(
  from: TreeRoot,
  to: TreeRoot,
  store: StoreReader,
  only: readonly string[],
): Promise<readonly TargetChange[]> {
  const changes: TargetChange[] = [];
  for await (const pairs of mergeTrees(readTree(store, from), readTree(store, to))) {
    for (const { path, left, right } of pairs) {
      if (only.length > 0 && !only.some((it) => isWithin(path, it))) continue;
      const change = changeBetween(path, left, right);
      if (change !== undefined) changes.push(change);
    }
  }
  return changes;
}

/** From a saved tree to what is there: the other way round than a restore. */
export function diffToNow(comparison: Comparison): readonly TargetChange[] {
  const now = new Map(comparison.actions.map((it) => [it.path, it.now?.size]));
  return changesOf(comparison).map(({ action, path, detail }): TargetChange => {
    const size = now.get(path);
    const bytes = size === undefined || action === "attributes" ? {} : { bytes: size };
    if (action === "create") return { action: "remove", path };
    if (action === "remove") {
      return { action: "create", path, ...bytes, ...(detail === undefined ? {} : { detail }) };
    }
    return { action, path, ...bytes };
  });
}

function changeBetween(
  path: string,
  from: TreeEntry | undefined,
  to: TreeEntry | undefined,
): TargetChange | undefined {
  if (from === undefined) return { action: "create", path, ...bytesOf(to!) };
  if (to === undefined) return { action: "remove", path, ...bytesOf(from) };
  if (from.type !== to.type) return { action: "replace", path, detail: `${from.type} becomes ${to.type}` };
  if (!sameBytes(from, to)) return { action: "replace", path, ...bytesOf(to) };
  return sameRest(from, to) ? undefined : { action: "attributes", path };
}

function bytesOf({ size }: TreeEntry): { readonly bytes?: number } {
  return size === undefined ? {} : { bytes: size };
}

function sameBytes(a: TreeEntry, b: TreeEntry): boolean {
  if (a.target !== b.target || a.link !== b.link || a.size !== b.size) return false;
  const [left, right] = [a.content, b.content];
  if (left?.sha256 !== undefined && right?.sha256 !== undefined) return left.sha256 === right.sha256;
  return left?.chunks.join() === right?.chunks.join();
}

function sameRest(a: TreeEntry, b: TreeEntry): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid &&
    (a.type === "folder" || sameTime(a.mtime, b.mtime)) && sameAttributes(a.attributes, b.attributes);
}
