/**
 * Changes of the index as data: a plan lists them, the journal holds them, and their inverse takes them back.
 * Applying one means "make it so": doing it twice changes nothing, and what it does not name is kept.
 */
import type { JsonObject } from "#/core/json.ts";
import type {
  BackupPin,
  Channel,
  HistoryCut,
  Hold,
  ReleaseEntry,
  RepositoryIndex,
  Tombstone,
} from "#/repository/index_format.ts";

export type IndexChange =
  /** Adds an entry just before `older` (or just after `newer`, or by its time when both are gone). */
  | {
    readonly change: "put_release";
    readonly entry: ReleaseEntry;
    readonly newer: string | null;
    readonly older: string | null;
  }
  | { readonly change: "remove_release"; readonly version: string }
  | {
    readonly change: "edit_release";
    readonly version: string;
    readonly set: JsonObject;
    readonly unset: readonly string[];
  }
  | { readonly change: "put_tombstone"; readonly tombstone: Tombstone }
  | { readonly change: "remove_tombstone"; readonly version: string }
  | { readonly change: "set_channel"; readonly name: string; readonly channel: Channel }
  | { readonly change: "remove_channel"; readonly name: string }
  | { readonly change: "set_pin"; readonly backup: string; readonly pin: BackupPin }
  | { readonly change: "remove_pin"; readonly backup: string }
  | { readonly change: "set_hold"; readonly name: string; readonly hold: Hold }
  | { readonly change: "remove_hold"; readonly name: string }
  | { readonly change: "set_history_cut"; readonly cut: HistoryCut | null };

/** A change names a release that is not in the index. */
export class ImpossibleChange extends Error {}

/**
 * The index with all changes made. Pure.
 * @throws {ImpossibleChange} when a change edits a release that is not there
 */
export function applyChanges(index: RepositoryIndex, changes: readonly IndexChange[]): RepositoryIndex {
  return changes.reduce(applyChange, index);
}

/** The changes that take `changes` back, in the order in which to apply them. Pure. */
export function invertChanges(
  index: RepositoryIndex,
  changes: readonly IndexChange[],
): readonly IndexChange[] {
  const inverse: IndexChange[] = [];
  let current = index;
  for (const change of changes) {
    inverse.unshift(...invertChange(current, change));
    current = applyChange(current, change);
  }
  return inverse;
}

/** True when the index already is as the changes want it. */
export function changesHold(index: RepositoryIndex, changes: readonly IndexChange[]): boolean {
  try {
    return isEqual(JSON.stringify(applyChanges(index, changes)), JSON.stringify(index));
  } catch (error) {
    if (error instanceof ImpossibleChange) return false;
    throw error;
  }
}

/** Whoever edited the index by hand may have written `1.0` as `1`: that is no other value. */
function isEqual(wanted: string, found: string): boolean {
  return wanted === found || JSON.stringify(JSON.parse(wanted)) === JSON.stringify(JSON.parse(found));
}

function applyChange(index: RepositoryIndex, change: IndexChange): RepositoryIndex {
  switch (change.change) {
    case "put_release":
      return { ...index, releases: insertRelease(index.releases, change) };
    case "remove_release":
      return { ...index, releases: index.releases.filter((entry) => entry.version !== change.version) };
    case "edit_release":
      return { ...index, releases: editRelease(index.releases, change) };
    case "put_tombstone":
      return { ...index, rolled_back: putTombstone(index, change.tombstone) };
    case "remove_tombstone":
      return withPart(index, "rolled_back", tombstonesWithout(index, change.version));
    case "set_channel":
      return { ...index, channels: { ...index.channels, [change.name]: change.channel } };
    case "remove_channel":
      return withPart(index, "channels", without(index.channels, change.name));
    case "set_pin":
      return { ...index, backup_pins: { ...index.backup_pins, [change.backup]: change.pin } };
    case "remove_pin":
      return withPart(index, "backup_pins", without(index.backup_pins, change.backup));
    case "set_hold":
      return { ...index, holds: { ...index.holds, [change.name]: change.hold } };
    case "remove_hold":
      return withPart(index, "holds", without(index.holds, change.name));
    case "set_history_cut":
      return withPart(index, "history_cut", change.cut ?? {});
    default:
      return change satisfies never;
  }
}

function invertChange(index: RepositoryIndex, change: IndexChange): readonly IndexChange[] {
  switch (change.change) {
    case "put_release":
    case "remove_release": {
      const version = change.change === "put_release" ? change.entry.version : change.version;
      const old = releaseAsChange(index, version);
      if (old.length > 0) return old;
      return change.change === "put_release" ? [{ change: "remove_release", version }] : [];
    }
    case "edit_release":
      return [invertEdit(index, change)];
    case "put_tombstone":
    case "remove_tombstone": {
      const version = change.change === "put_tombstone" ? change.tombstone.version : change.version;
      const old = index.rolled_back?.find((tombstone) => tombstone.version === version);
      if (old !== undefined) return [{ change: "put_tombstone", tombstone: old }];
      return change.change === "put_tombstone" ? [{ change: "remove_tombstone", version }] : [];
    }
    case "set_channel":
    case "remove_channel": {
      const old = index.channels?.[change.name];
      if (old !== undefined) return [{ change: "set_channel", name: change.name, channel: old }];
      return change.change === "set_channel" ? [{ change: "remove_channel", name: change.name }] : [];
    }
    case "set_pin":
    case "remove_pin": {
      const old = index.backup_pins?.[change.backup];
      if (old !== undefined) return [{ change: "set_pin", backup: change.backup, pin: old }];
      return change.change === "set_pin" ? [{ change: "remove_pin", backup: change.backup }] : [];
    }
    case "set_hold":
    case "remove_hold": {
      const old = index.holds?.[change.name];
      if (old !== undefined) return [{ change: "set_hold", name: change.name, hold: old }];
      return change.change === "set_hold" ? [{ change: "remove_hold", name: change.name }] : [];
    }
    case "set_history_cut":
      return [{ change: "set_history_cut", cut: index.history_cut ?? null }];
    default:
      return change satisfies never;
  }
}

/** A `put_release` that puts the entry of `version` back where it stands now. */
export function releaseAsChange(index: RepositoryIndex, version: string): readonly IndexChange[] {
  const at = index.releases.findIndex((entry) => entry.version === version);
  const entry = index.releases[at];
  if (entry === undefined) return [];
  return [{ change: "put_release", entry, ...neighbours(index, version) }];
}

/** The versions that stand directly before (newer) and after (older) a release. */
export function neighbours(
  index: RepositoryIndex,
  version: string,
): { readonly newer: string | null; readonly older: string | null } {
  const at = index.releases.findIndex((entry) => entry.version === version);
  return {
    newer: index.releases[at - 1]?.version ?? null,
    older: index.releases[at + 1]?.version ?? null,
  };
}

function insertRelease(
  releases: readonly ReleaseEntry[],
  put: Extract<IndexChange, { change: "put_release" }>,
): readonly ReleaseEntry[] {
  const existing = releases.findIndex((entry) => entry.version === put.entry.version);
  if (existing >= 0) return releases.with(existing, put.entry);
  return releases.toSpliced(byTime(releases, put.entry, insertPosition(releases, put)), 0, put.entry);
}

/** The neighbours may have left, or come back elsewhere, meanwhile: newest first holds wherever the times say so. */
function byTime(releases: readonly ReleaseEntry[], entry: ReleaseEntry, position: number): number {
  const time = timeOf(entry);
  let at = position;
  while (at < releases.length && timeOf(releases[at]!) > time) at++;
  while (at > 0 && timeOf(releases[at - 1]!) < time) at--;
  return at;
}

/** Milliseconds; without a time nothing compares, and the neighbours alone decide. */
function timeOf(entry: ReleaseEntry): number {
  return Date.parse(entry.timestamp ?? "");
}

function insertPosition(
  releases: readonly ReleaseEntry[],
  put: Extract<IndexChange, { change: "put_release" }>,
): number {
  const older = put.older === null ? -1 : releases.findIndex((entry) => entry.version === put.older);
  if (older >= 0) return older;
  const newer = put.newer === null ? -1 : releases.findIndex((entry) => entry.version === put.newer);
  if (newer >= 0) return newer + 1;
  if (put.newer === null) return 0;
  const time = timeOf(put.entry);
  const firstOlder = releases.findIndex((entry) => timeOf(entry) < time);
  return firstOlder >= 0 ? firstOlder : releases.length;
}

function editRelease(
  releases: readonly ReleaseEntry[],
  edit: Extract<IndexChange, { change: "edit_release" }>,
): readonly ReleaseEntry[] {
  const at = releases.findIndex((entry) => entry.version === edit.version);
  if (at < 0) throw new ImpossibleChange(`release ${edit.version} is no longer in the index`);
  const kept = Object.entries(releases[at]!).filter(([key]) => !edit.unset.includes(key));
  return releases.with(at, { ...Object.fromEntries(kept), ...edit.set } as unknown as ReleaseEntry);
}

function invertEdit(
  index: RepositoryIndex,
  edit: Extract<IndexChange, { change: "edit_release" }>,
): IndexChange {
  const entry = index.releases.find((candidate) => candidate.version === edit.version);
  if (entry === undefined) throw new ImpossibleChange(`release ${edit.version} is not in the index`);
  const touched = [...Object.keys(edit.set), ...edit.unset];
  const had = touched.filter((key) => entry[key] !== undefined);
  return {
    change: "edit_release",
    version: edit.version,
    set: Object.fromEntries(had.map((key) => [key, entry[key]])),
    unset: touched.filter((key) => entry[key] === undefined),
  };
}

/** A part that became empty leaves no trace. */
function withPart<K extends "rolled_back" | "channels" | "backup_pins" | "holds" | "history_cut">(
  index: RepositoryIndex,
  name: K,
  part: NonNullable<RepositoryIndex[K]> | Readonly<Record<string, never>>,
): RepositoryIndex {
  if (Object.keys(part).length > 0) return { ...index, [name]: part };
  const { [name]: _empty, ...rest } = index;
  return rest as unknown as RepositoryIndex;
}

/** Newest first; one that only learns more of the same rollback stays where it is. */
function putTombstone(index: RepositoryIndex, tombstone: Tombstone): readonly Tombstone[] {
  const known = index.rolled_back ?? [];
  const at = known.findIndex(({ version }) => version === tombstone.version);
  if (at >= 0 && known[at]!.rollback_id === tombstone.rollback_id) return known.with(at, tombstone);
  return [tombstone, ...tombstonesWithout(index, tombstone.version)];
}

function tombstonesWithout(index: RepositoryIndex, version: string): readonly Tombstone[] {
  return (index.rolled_back ?? []).filter((tombstone) => tombstone.version !== version);
}

function without<T>(
  record: Readonly<Record<string, T>> | undefined,
  key: string,
): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(record ?? {}).filter(([name]) => name !== key));
}
