/** Compares files that are kept. Pure. */
import type { KeptFile } from "./model.ts";

/** What lies, or has to lie, at a path. */
export interface Sight {
  readonly kind: "file" | "symlink";
  readonly mode: number;
  readonly oid: string | undefined;
  readonly sha256: string | undefined;
  readonly target: string | undefined;
  readonly size: number | undefined;
}

/** One path that differs. */
export interface PathChange {
  readonly action: "create" | "replace" | "remove" | "attributes";
  readonly path: string;
  readonly bytes?: number;
}

export function sightOf({ kind, mode, oid, sha256, target, size }: KeptFile): Sight {
  return { kind: kind === "symlink" ? "symlink" : "file", mode: mode ?? 0, oid, sha256, target, size };
}

export function isSameContent(a: Sight, b: Sight): boolean {
  if (a.kind !== b.kind) return false;
  if (a.target !== undefined && b.target !== undefined) return a.target === b.target;
  if (a.sha256 !== undefined && b.sha256 !== undefined) return a.sha256 === b.sha256;
  return a.oid !== undefined && a.oid === b.oid;
}

/** Differences of files; those that `to` does not name do not count. */
export function keptChanges(from: readonly KeptFile[], to: readonly KeptFile[]): readonly PathChange[] {
  return to.flatMap((after): PathChange[] => {
    const before = from.find((it) => it.path === after.path) ?? { path: after.path, kind: "absent" as const };
    if (after.kind === "absent") {
      return before.kind === "absent" ? [] : [{ action: "remove", path: after.path }];
    }
    if (before.kind === "absent") return [{ action: "create", path: after.path }];
    const [a, b] = [sightOf(before), sightOf(after)];
    if (!isSameContent(a, b)) return [{ action: "replace", path: after.path }];
    const same = a.mode === b.mode && String(before.owner) === String(after.owner);
    return same ? [] : [{ action: "attributes", path: after.path }];
  });
}
