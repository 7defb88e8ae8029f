/** What a tree says of one path. */
import type { ContentRef } from "#/store/model.ts";
import { pathProblem } from "./path.ts";

export const ENTRY_TYPES = ["file", "folder", "symlink", "fifo", "socket", "block", "char"] as const;
export type EntryType = typeof ENTRY_TYPES[number];

/** One line of a segment. Fields that say nothing (no attributes, one link) are left out. */
export interface TreeEntry {
  /** Absolute. */
  readonly path: string;
  readonly type: EntryType;
  /** Permission bits with set-id and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** `seconds.nanoseconds` since 1970; three digits where only milliseconds were known. */
  readonly mtime: string;
  readonly ctime: string;
  readonly ino: number | string;
  /** Of a file. */
  readonly size?: number;
  /** Of a file that is not a hard link to another of the tree. */
  readonly content?: ContentRef;
  /** The file of this tree that it is a hard link to: the first of them in the tree's order. */
  readonly link?: string;
  /** What a symlink says. */
  readonly target?: string;
  /** Extended attributes, base64. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** Takes less room than its size. */
  readonly sparse?: true;
  /** Was changed so shortly before it was read that a change afterwards might not show: read again next time. */
  readonly racy?: true;
  /** It went on changing while it was read. */
  readonly changing?: true;
  /** Of a device: major, minor. */
  readonly rdev?: readonly [number, number];
  /** Of a folder: it holds what the tree leaves out, so it cannot be removed. Never stored. */
  readonly holdsMore?: true;
}

type Stamped = Pick<TreeEntry, "ino" | "ctime" | "mtime" | "size" | "type">;

/** Whether a file has not been touched between two looks at it. */
export function sameStamp(a: Stamped, b: Stamped): boolean {
  return a.ino === b.ino && a.ctime === b.ctime && a.mtime === b.mtime && a.size === b.size &&
    a.type === b.type;
}

/** The time of a symlink where it cannot be put back: nothing then compares it, or the symlink's owner. */
export const UNKNOWN_TIME = "0.000";

/** Of larger files size and time stand for the content in a fingerprint: so it never reads for minutes. */
export const DIGESTED_BYTES = 8 << 20;

/**
 * What "equal to before" means for a path. Not: ctime, inode, device numbers of filesystems (a restore makes new ones),
 * and times of folders (what is excluded, and what lives in them, moves those).
 */
export function fingerprintLine(entry: TreeEntry): string {
  const owned = entry.mtime !== UNKNOWN_TIME;
  return JSON.stringify([
    entry.path,
    entry.type,
    entry.type === "symlink" ? 0 : entry.mode,
    owned ? entry.uid : 0,
    owned ? entry.gid : 0,
    entry.type === "folder" ? "" : entry.mtime,
    entry.size ?? 0,
    (entry.size ?? 0) <= DIGESTED_BYTES ? entry.content?.sha256 ?? "" : "",
    entry.link ?? "",
    entry.target ?? "",
    entry.rdev ?? 0,
    entry.attributes ?? 0,
  ]);
}

const TIME = /^-?\d{1,18}\.\d{1,9}$/;
const HEX = /^[0-9a-f]{64}$/;

/** Why a line of a segment cannot be an entry, undefined when it is one. What comes from a store is not trusted. */
export function entryProblem(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return "it is not an object";
  const entry = value as Partial<Record<keyof TreeEntry, unknown>>;
  const path = pathProblem(entry.path);
  if (path !== undefined) return `path: ${path}`;
  if (!ENTRY_TYPES.includes(entry.type as EntryType)) return "its type is unknown";
  if (!isCount(entry.mode, 0o7777) || !isCount(entry.uid, 0xffffffff) || !isCount(entry.gid, 0xffffffff)) {
    return "mode or owner is not a number";
  }
  if (!isTime(entry.mtime) || !isTime(entry.ctime)) return "its times are no times";
  if (entry.link !== undefined && pathProblem(entry.link) !== undefined) return "its link is no path";
  if (entry.type === "symlink" && !isTarget(entry.target)) return "it says not where it leads";
  if (entry.type === "file") {
    if (!isCount(entry.size, Number.MAX_SAFE_INTEGER)) return "its size is no number";
    if (entry.link === undefined && !isContent(entry.content)) return "it has no content";
  }
  if (entry.attributes !== undefined && !isTexts(entry.attributes)) return "its attributes are no attributes";
  if (entry.rdev !== undefined && !isPair(entry.rdev)) return "its device is no device";
  return undefined;
}

function isCount(value: unknown, max: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max;
}

function isTime(value: unknown): boolean {
  return typeof value === "string" && TIME.test(value);
}

function isTarget(value: unknown): boolean {
  return typeof value === "string" && value !== "" && !value.includes("\0");
}

function isPair(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && value.every((it) => isCount(it, 0xffffffff));
}

function isTexts(value: unknown): boolean {
  return typeof value === "object" && value !== null &&
    Object.entries(value).every(([name, it]) =>
      typeof it === "string" && name.length < 256 && !name.includes("\0")
    );
}

/** Whether a value has the form of a reference to content. */
export function isContent(value: unknown): value is ContentRef {
  if (typeof value !== "object" || value === null) return false;
  const { size, chunks, sha256 } = value as Partial<Record<keyof ContentRef, unknown>>;
  return isCount(size, Number.MAX_SAFE_INTEGER) && Array.isArray(chunks) &&
    chunks.every((it) => typeof it === "string" && HEX.test(it)) &&
    (sha256 === undefined || sha256 === chunks[0] || typeof sha256 === "string" && HEX.test(sha256));
}
