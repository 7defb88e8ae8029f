/** What a restore of a tree would do, for people and for a dry run. */
import type { TargetChange, TargetPlan } from "../target.ts";
import { captureLimits } from "./capture_notes.ts";
import type { Comparison, TreeAction, TreeTask } from "./compare.ts";
import { isWithin, pathProblem } from "./path.ts";
import { conflictsOf } from "./restore.ts";
import { filesToWrite, planSpace } from "./space.ts";

/** @param skipped saved paths that the configuration does not cover any more */
export function planOf(task: TreeTask, comparison: Comparison, skipped: readonly string[]): TargetPlan {
  const { actions, notes } = comparison;
  const changes = changesOf(comparison);
  return {
    changes,
    summary: summaryOf(actions, changes),
    problems: problemsOf(task, comparison),
    uncommitted: [],
    warnings: [
      ...captureLimits(),
      ...named(skipped, "Not restored, because the configuration does not cover it any more"),
      ...named(
        comparison.nowhere.filter((it) => task.roots.some((root) => isWithin(it, root))),
        "Nothing is there, neither in the snapshot nor now",
      ),
      ...named(comparison.kept, "Kept, because it holds what is left out"),
      ...named(notes.odd, "Left alone, because the name is not UTF-8"),
    ],
  };
}

export function changesOf({ actions, notes }: Comparison): readonly TargetChange[] {
  const leftovers = notes.leftovers.map((path): TargetChange => ({
    action: "remove",
    path,
    detail: "a temporary file of an interrupted restore",
  }));
  return [...leftovers, ...actions.flatMap(changeOf)];
}

function changeOf({ kind, path, saved, now }: TreeAction): readonly TargetChange[] {
  if (kind === "times") return [];
  const bytes = kind === "remove" ? now?.size : kind === "attributes" ? undefined : saved?.size;
  const detail = detailOf({ kind, path, ...(saved && { saved }), ...(now && { now }) });
  return [{
    action: kind,
    path,
    ...(bytes === undefined ? {} : { bytes }),
    ...(detail === undefined ? {} : { detail }),
  }];
}

function detailOf({ kind, saved, now }: TreeAction): string | undefined {
  if (kind === "replace" && saved?.type !== now?.type) return `${now?.type} becomes ${saved?.type}`;
  if (saved?.link !== undefined && kind !== "attributes") return `hard link to ${saved.link}`;
  if (saved?.type === "symlink" && kind !== "attributes") return `symlink to ${saved.target}`;
  const type = (saved ?? now)?.type;
  if (kind === "attributes" && saved !== undefined && now !== undefined) {
    const parts = [
      ...(saved.mode === now.mode ? [] : [`mode ${now.mode.toString(8)} becomes ${saved.mode.toString(8)}`]),
      ...(saved.uid === now.uid && saved.gid === now.gid
        ? []
        : [`owner ${now.uid}:${now.gid} becomes ${saved.uid}:${saved.gid}`]),
    ];
    return parts.length === 0 ? undefined : parts.join(", ");
  }
  return type === "file" ? undefined : type;
}

function summaryOf(actions: readonly TreeAction[], told: readonly TargetChange[]): string {
  if (told.length === 0) return "nothing to do";
  const count = (action: TargetChange["action"], word: string) => {
    const number = told.filter((it) => it.action === action).length;
    return number === 0 ? [] : [`${word} ${number}`];
  };
  const bytes = filesToWrite(actions).reduce((sum, it) => sum + (it.saved?.size ?? 0), 0);
  const parts = [
    ...count("create", "create"),
    ...count("replace", "replace"),
    ...count("attributes", "set attributes of"),
    ...count("remove", "remove"),
  ];
  return `${parts.join(", ")}${bytes === 0 ? "" : ` (${bytes} ${bytes === 1 ? "byte" : "bytes"} to write)`}`;
}

/** Why the restore would fail. */
export function problemsOf(task: TreeTask, { actions, notes }: Comparison): readonly string[] {
  const conflicts = new Set(conflictsOf(actions));
  const held = actions.filter((it) => conflicts.has(it.path) && it.now?.holdsMore === true);
  const space = planSpace(actions, task.roots).problem;
  return [
    ...(space === undefined ? [] : [space]),
    ...held.map(({ path, saved }) =>
      `${path} is a folder that holds what is left out, and would have to become a ${saved?.type}`
    ),
    ...named(notes.unreadable, "cannot be read"),
    ...actions.filter((it) => pathProblem(it.path) !== undefined).map((it) => `${it.path} is not a path`),
  ];
}

/** A few of them and how many more. */
function named(paths: readonly string[], what: string): readonly string[] {
  if (paths.length === 0) return [];
  const shown = paths.slice(0, 5).map((it) => JSON.stringify(it)).join(", ");
  return [`${what}: ${shown}${paths.length > 5 ? ` and ${paths.length - 5} more` : ""}`];
}
