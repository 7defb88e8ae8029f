/** What has to be done so that what is there becomes what was saved. Looks only. */
import type { StoreReader } from "#/store/store.ts";
import { throwIfStopped } from "#/core/pace.ts";
import { native } from "#/core/native.ts";
import { readAttributes, sameAttributes } from "./attributes.ts";
import { sameStamp, type TreeEntry, UNKNOWN_TIME } from "./entry.ts";
import { HardLinks } from "./links.ts";
import type { Seen } from "./look.ts";
import { inLists, mergeTrees } from "./merge.ts";
import { comparePaths, isWithin, parentOf } from "./path.ts";
import { haveContent, type Question } from "./same_content.ts";
import type { Exclude } from "./exclude.ts";
import { newNotes, scan, type ScanNotes } from "./scan.ts";

/** What a restore (or an export, or a look at differences) works on. */
export interface TreeTask {
  readonly store: StoreReader;
  readonly signal: AbortSignal;
  /** The saved entries, as paths of where they belong now. */
  readonly saved: () => AsyncIterable<readonly TreeEntry[]>;
  /** What is walked: absolute, none within another. */
  readonly roots: readonly string[];
  /** Below these every folder on the way must be a real one. */
  readonly guarded: readonly string[];
  readonly exclude: Exclude;
  readonly oneFileSystem: boolean;
  /** Only these and what is below them; empty: everything. */
  readonly only: readonly string[];
  /** A temporary name for each root, always the same. */
  readonly temporaryForRoot: (root: string) => string;
  /** What an interrupted restore left beside the roots. */
  readonly rootLeftovers: readonly string[];
  /** Whether what came later goes. */
  readonly removing: boolean;
}

/** One thing to do. `times`: of a folder, where nothing else differs; done, but not told. */
export interface TreeAction {
  readonly kind: "create" | "replace" | "remove" | "attributes" | "times";
  readonly path: string;
  /** What it becomes; undefined: removed. */
  readonly saved?: TreeEntry;
  /** What is there. */
  readonly now?: Seen;
}

export interface Comparison {
  /** In the order of a walk. */
  readonly actions: readonly TreeAction[];
  readonly notes: ScanNotes;
  /** Folders that came later, but hold what is left out. */
  readonly kept: readonly string[];
  /** The saved folders by path, for those whose times move while something in them is changed. */
  readonly folders: ReadonlyMap<string, TreeEntry>;
  /** Of the paths asked for, those that nothing is at: neither then nor now. */
  readonly nowhere: readonly string[];
}

/** Files whose content is compared at once: what is known of them waits in memory. */
const MAX_UNSURE = 1024;

type Both = { readonly path: string; readonly saved: TreeEntry; readonly now: Seen };

export async function compareTree(task: TreeTask): Promise<Comparison> {
  const notes = newNotes();
  notes.leftovers.push(...task.rootLeftovers);
  const links = new HardLinks();
  const actions: TreeAction[] = [];
  const unsure: Both[] = [];
  const followers: Both[] = [];
  const nowhere = new Set(task.only);
  const scope = scopeOf(task.only);
  const folders = new Map<string, TreeEntry>();
  for await (const pairs of mergeTrees(task.saved(), inLists(linked(scan(task, notes), links)))) {
    throwIfStopped(task.signal);
    for (const { path, left, right: now } of pairs) {
      const part = scope(path);
      if (part === "inside" && nowhere.size > 0) {
        for (const it of nowhere) if (isWithin(path, it)) nowhere.delete(it);
      }
      const saved = left?.type === "socket" ? undefined : left;
      if (part === "outside" || isLiveSocket(now, path, folders)) continue;
      if (saved?.type === "folder" && part === "inside") folders.set(path, saved);
      if (saved === undefined) {
        if (now !== undefined && part === "inside" && task.removing) {
          actions.push({ kind: "remove", path, now });
        }
      } else if (now === undefined) {
        if (part === "inside" || saved.type === "folder") actions.push({ kind: "create", path, saved });
      } else if (part === "above") {
        if (saved.type === "folder" && now.type !== "folder") {
          actions.push({ kind: "replace", path, saved, now });
        }
      } else if (needsReplacing(saved, now)) actions.push({ kind: "replace", path, saved, now });
      else if (saved.link !== undefined) followers.push({ path, saved, now });
      else if (saved.type === "file" && !knownSame(saved, now)) unsure.push({ path, saved, now });
      else pushAttributes(actions, { path, saved, now });
      if (unsure.length >= MAX_UNSURE) await settleUnsure(unsure.splice(0), actions, task);
    }
  }
  await settleUnsure(unsure, actions, task);
  relink(followers, actions);
  actions.sort((a, b) => comparePaths(a.path, b.path));
  const isKept = (it: TreeAction) => it.kind === "remove" && it.now?.holdsMore === true;
  return {
    actions: actions.filter((it) => !isKept(it)),
    notes,
    kept: actions.filter(isKept).map((it) => it.path),
    folders,
    nowhere: [...nowhere],
  };
}

function* linked(entries: Iterable<Seen>, links: HardLinks): Generator<Seen> {
  for (const entry of entries) yield links.linked(entry);
}

/** Sockets belong to the programs that serve them: neither made nor removed, but with a folder that goes as a whole. */
function isLiveSocket(now: Seen | undefined, path: string, folders: ReadonlyMap<string, TreeEntry>): boolean {
  return now?.type === "socket" && folders.has(parentOf(path));
}

/** Where a path is: inside what is asked for, a folder above it, or neither. */
function scopeOf(only: readonly string[]): (path: string) => "inside" | "above" | "outside" {
  if (only.length === 0) return () => "inside";
  return (path) => {
    if (only.some((it) => isWithin(path, it))) return "inside";
    return only.some((it) => isWithin(it, path)) ? "above" : "outside";
  };
}

/** Certain without looking at attributes or content. */
function needsReplacing(saved: TreeEntry, now: Seen): boolean {
  if (saved.type !== now.type) return true;
  switch (saved.type) {
    case "file":
      return (saved.link ?? saved.path) !== (now.link ?? now.path) || saved.size !== now.size;
    case "symlink":
      return saved.target !== now.target;
    case "block":
    case "char":
      return saved.rdev?.join() !== now.rdev?.join();
    default:
      return false;
  }
}

/** Whether the bytes are surely the saved ones: nobody has touched the file since it was read. */
function knownSame(saved: TreeEntry, now: Seen): boolean {
  return saved.size === 0 ||
    sameStamp(saved, now) && saved.racy === undefined && saved.changing === undefined;
}

async function settleUnsure(unsure: readonly Both[], actions: TreeAction[], task: TreeTask): Promise<void> {
  const questions: Question[] = unsure.map(({ path, saved }) => ({ path, content: saved.content! }));
  const answers = await haveContent(questions, task.store, task.signal);
  unsure.forEach((it, i) => {
    if (answers[i] === true) pushAttributes(actions, it);
    else actions.push({ kind: "replace", ...it });
  });
}

/** A further name of a file that is itself replaced must be made again. */
function relink(followers: readonly Both[], actions: TreeAction[]): void {
  if (followers.length === 0) return;
  const replaced = new Set(actions.filter((it) => it.kind === "replace").map((it) => it.path));
  for (const it of followers) if (replaced.has(it.saved.link!)) actions.push({ kind: "replace", ...it });
}

function pushAttributes(actions: TreeAction[], { path, saved, now }: Both): void {
  const untouched = sameStamp(saved, now); // ctime tells of every other change too
  const full = saved.mtime !== UNKNOWN_TIME && now.mtime !== UNKNOWN_TIME;
  const same = !full || saved.uid === now.uid && saved.gid === now.gid &&
      (saved.type === "symlink" || saved.mode === now.mode) &&
      (untouched || native() === undefined || sameAttributes(saved.attributes, attributesNow(path)));
  const sameTimes = !full || sameTime(saved.mtime, now.mtime);
  if (same && sameTimes) return;
  const kind = same && saved.type === "folder" ? "times" : "attributes";
  actions.push({ kind, path, saved, now });
}

function attributesNow(path: string): TreeEntry["attributes"] {
  try {
    return readAttributes(path);
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return undefined;
    throw error;
  }
}

/** As exactly as both are known. */
export function sameTime(a: string, b: string): boolean {
  if (a === UNKNOWN_TIME || b === UNKNOWN_TIME) return true;
  return a.length === b.length ? a === b : a.startsWith(b) || b.startsWith(a) || shorter(a) === shorter(b);
}

/** To the millisecond. */
function shorter(time: string): string {
  return time.slice(0, time.indexOf(".") + 4);
}
