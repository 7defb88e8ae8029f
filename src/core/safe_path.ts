/**
 * Names that come from outside (an index, a manifest, a plan, an argument) and end up in a path.
 * Everything here is a pure check of the text; symlinks on the way are the storage driver's to refuse.
 */
import { UsageError } from "#/core/errors.ts";

/** Folders and files at the root of a repository that no artifact may touch. */
const RESERVED_ROOT_NAMES = new Set([
  ".backout",
  ".backout-scratch",
  ".rollback-backups",
  "index.json",
  "index.md",
]);

const VERSION_NAME = /^[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}$/;
const CHANNEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const BACKUP_ID = /^[A-Za-z0-9][A-Za-z0-9._+~-]{0,199}$/;
const OPERATION_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
// deno-lint-ignore no-control-regex -- control characters are what is refused
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f]/;
const MAX_PATH_BYTES = 1024;
const MAX_SEGMENT_BYTES = 255;

/** What nearly all paths look like: an index has a hundred thousand of them, so these are decided by one look. */
const PLAIN_PATH = /^(?!index\.)[A-Za-z0-9_][\w.+~-]*(?:\/[A-Za-z0-9_][\w.+~-]*)*$/i;
const PLAIN_LENGTH = 255;

/** Why `path` is not a safe artifact path, or undefined when it is one. */
export function artifactPathProblem(path: unknown): string | undefined {
  if (typeof path !== "string") return "it is not text";
  if (path.length <= PLAIN_LENGTH && PLAIN_PATH.test(path)) return undefined;
  if (path === "") return "it is empty";
  if (!path.isWellFormed()) return "it is not valid Unicode"; // half characters are all stored as the same bytes
  if (CONTROL_CHARACTER.test(path)) return "it contains a control character";
  if (path.includes("\\")) return "it contains a backslash";
  if (path.startsWith("/") || /^[A-Za-z]:/.test(path)) return "it is absolute";
  if (longerThan(path, MAX_PATH_BYTES)) return `it is longer than ${MAX_PATH_BYTES} bytes`;
  const segments = path.split("/");
  for (const segment of segments) {
    if (segment === "..") return "it climbs out of the repository";
    if (segment === "" || segment === ".") return "it has an empty part";
    if (longerThan(segment, MAX_SEGMENT_BYTES)) {
      return `a part of it is longer than ${MAX_SEGMENT_BYTES} bytes`;
    }
  }
  if (RESERVED_ROOT_NAMES.has(segments[0]!.toLowerCase())) return "it names backout's own files";
  return undefined;
}

/** Why `version` cannot be the name of a release, or undefined when it can. */
export function versionProblem(version: string): string | undefined {
  if (version === "") return "it is empty";
  if (version.length > 128) return "it is longer than 128 characters";
  if (!VERSION_NAME.test(version)) {
    return "it must start with a letter or digit and use only letters, digits and . _ + ~ -";
  }
  if (version.endsWith(".")) return "it ends with a dot";
  if (RESERVED_ROOT_NAMES.has(version.toLowerCase())) return "it names one of backout's own files";
  return undefined;
}

/**
 * Refuses a version name that could not safely name a folder.
 * @throws {UsageError}
 */
export function assertVersion(version: string): void {
  const problem = versionProblem(version);
  if (problem === undefined) return;
  throw new UsageError(`Cannot use ${quoteShort(version)} as a version: ${problem}`, {
    hint: "Give a version as it stands in `backout release list`, for example v1.0.2.",
  });
}

/** @throws {UsageError} when `name` cannot name a channel. */
export function assertChannelName(name: string): void {
  if (CHANNEL_NAME.test(name) && !(name in Object.prototype)) return;
  throw new UsageError(
    `Cannot use ${
      quoteShort(name)
    } as a channel name: it must start with a letter or digit, use only letters, digits and . _ -, and not be a word like constructor`,
    { hint: "Give a channel as it stands in `backout channel list`, for example stable." },
  );
}

/** True when `id` can be the name of a backup folder. */
export function isBackupId(id: string): boolean {
  return BACKUP_ID.test(id);
}

/** True when `id` is the id of an operation (a UUID in lower case). */
export function isOperationId(id: string): boolean {
  return OPERATION_ID.test(id);
}

/** Text from outside, made safe and short for a message. */
export function quoteShort(text: string): string {
  const short = text.length > 60 ? text.slice(0, 57) + "..." : text;
  return JSON.stringify(short);
}

/** Length in UTF-8. A character takes three bytes at most, so short text needs no encoding. */
function longerThan(text: string, bytes: number): boolean {
  if (text.length * 3 <= bytes) return false;
  return new TextEncoder().encode(text).length > bytes;
}
