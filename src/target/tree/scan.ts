/** The walk: everything below the roots, a folder before what is in it, in the order of `comparePaths`. */
import { native } from "#/core/native.ts";
import { errorCode, readFolder } from "#/core/posix.ts";
import type { Exclude } from "./exclude.ts";
import { lookAt, type Seen } from "./look.ts";
import { childOf, nameOf } from "./path.ts";
import { isLeftover } from "./leftover.ts";

export interface ScanOptions {
  /** Absolute, none within another. */
  readonly roots: readonly string[];
  readonly exclude: Exclude;
  /** Do not go into other filesystems that are mounted below a root. */
  readonly oneFileSystem: boolean;
}

/** What a walk found besides entries. Filled as the walk goes on. */
export interface ScanNotes {
  /** Roots that are not there. */
  readonly missing: string[];
  /** Paths that cannot be read, each with why. */
  readonly unreadable: string[];
  /** Names that are not UTF-8 and therefore left out. */
  readonly odd: string[];
  /** Went between the listing of their folder and the look at them. */
  readonly vanished: string[];
  /** Other filesystems that were not entered. */
  readonly mounts: string[];
  /** Temporary files of a restore that was killed. */
  readonly leftovers: string[];
}

export function newNotes(): ScanNotes {
  return { missing: [], unreadable: [], odd: [], vanished: [], mounts: [], leftovers: [] };
}

interface Level {
  readonly folder: string;
  readonly entry: Seen;
  readonly names: readonly string[];
  next: number;
}

/** Looks at everything. A folder's `holdsMore` is known once the walk has left it. */
export function* scan(options: ScanOptions, notes: ScanNotes): Generator<Seen> {
  for (const root of options.roots) {
    const first = look(root, notes);
    if (first === undefined) {
      notes.missing.push(root);
      continue;
    }
    yield first;
    if (first.type === "folder") yield* below(root, first, options, notes);
  }
}

function* below(root: string, first: Seen, options: ScanOptions, notes: ScanNotes): Generator<Seen> {
  const levels: Level[] = [];
  const enter = (folder: string, entry: Seen) => {
    levels.push({ folder, entry, names: [], next: 0 });
    const names = listNames(folder, notes, () => markAll(levels));
    levels[levels.length - 1] = { folder, entry, names, next: 0 };
  };
  enter(root, first);
  while (levels.length > 0) {
    const level = levels.at(-1)!;
    if (level.next >= level.names.length) {
      levels.pop();
      continue;
    }
    const path = childOf(level.folder, level.names[level.next++]!);
    if (options.exclude(path, root)) {
      markAll(levels);
      continue;
    }
    const entry = look(path, notes);
    if (entry === undefined) {
      vanishedOrOdd(path, notes, () => markAll(levels));
      continue;
    }
    if (options.oneFileSystem && entry.dev !== first.dev) {
      notes.mounts.push(path);
      markAll(levels);
      continue;
    }
    yield entry;
    if (entry.type === "folder") enter(path, entry);
  }
}

function markAll(levels: readonly Level[]): void {
  for (const { entry } of levels) (entry as { holdsMore?: true }).holdsMore = true;
}

function look(path: string, notes: ScanNotes): Seen | undefined {
  try {
    return lookAt(path);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    notes.unreadable.push(`${path} (${reason(error)})`);
    return undefined;
  }
}

function vanishedOrOdd(path: string, notes: ScanNotes, mark: () => void): void {
  if (notes.unreadable.at(-1)?.startsWith(`${path} (`) === true) return mark();
  if (nameOf(path).includes("\ufffd") && native() === undefined) {
    notes.odd.push(path);
    return mark();
  }
  notes.vanished.push(path);
}

/** Sorted; without those that are not UTF-8, and without what an interrupted restore left. */
function listNames(folder: string, notes: ScanNotes, mark: () => void): readonly string[] {
  const names: string[] = [];
  for (const { name, shown } of listRaw(folder, notes)) {
    if (name === undefined) {
      notes.odd.push(childOf(folder, shown));
      mark();
    } else if (isLeftover(name)) notes.leftovers.push(childOf(folder, name));
    else names.push(name);
  }
  return names.sort();
}

function listRaw(
  folder: string,
  notes: ScanNotes,
): readonly { readonly name: string | undefined; readonly shown: string }[] {
  try {
    const given = native();
    if (given !== undefined) return given.readFolder(folder) ?? [];
    return (readFolder(folder) ?? []).map(({ name }) => ({ name, shown: name }));
  } catch (error) {
    if (!isRefusal(error)) throw error;
    notes.unreadable.push(`${folder} (${reason(error)})`);
    return [];
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof Deno.errors.PermissionDenied || errorCode(error)?.startsWith("E") === true;
}

function reason(error: unknown): string {
  return errorCode(error) ?? (error instanceof Error ? error.message : String(error));
}
