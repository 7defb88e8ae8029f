/** What a capture says besides its tree. */
import { native } from "#/core/native.ts";
import type { ScanNotes } from "./scan.ts";

/** What cannot be captured or restored here, for the report. */
export function captureLimits(): readonly string[] {
  if (native() !== undefined) return [];
  return [
    "Times are kept to the millisecond only, extended attributes and the owners and times of symlinks not at all, and " +
    "names that are not UTF-8 may go unseen: foreign functions are not permitted or not known on this system",
  ];
}

/** @param links roots that are symlinks */
export function noteWarnings(notes: ScanNotes, links: readonly string[]): readonly string[] {
  const list = (paths: readonly string[], what: string) => {
    const shown = paths.slice(0, 5).map((it) => JSON.stringify(it)).join(", ");
    return paths.length === 0
      ? []
      : [`${what}: ${shown}${paths.length > 5 ? ` and ${paths.length - 5} more` : ""}`];
  };
  return [
    ...list(notes.missing, "Not there"),
    ...list(links, "A symlink, of which only the link is kept; name what it leads to as well"),
    ...list(notes.odd, "Left out, because the name is not UTF-8"),
    ...list(notes.vanished, "Went while the folder was looked at"),
    ...list(notes.mounts, "Another filesystem, not entered"),
    ...list(notes.leftovers, "Left out, because an interrupted restore left it"),
  ];
}
