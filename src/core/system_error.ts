/** What the operating system refused, in words: one error class with the POSIX name, a sentence, and what to do. */
import { RollbackError, StorageError } from "#/core/errors.ts";
import { errorCode, lstat } from "#/core/posix.ts";

export type SystemErrorKind = "disk_full" | "permission" | "read_only" | "missing" | "not_a_file" | "storage";

interface ErrnoText {
  readonly kind: SystemErrorKind;
  readonly state: string;
  readonly hint?: string;
}

const PERMISSION_HINT = "Run as the owner of the folder, or give this user write permission there.";
const SPACE_HINT = "Free some space there (or move old backups away), then run the command again.";

const ERRNO_TEXT: { readonly [errno: string]: ErrnoText } = {
  ENOSPC: { kind: "disk_full", state: "the disk is full", hint: SPACE_HINT },
  EDQUOT: { kind: "disk_full", state: "the disk quota is used up", hint: SPACE_HINT },
  EACCES: { kind: "permission", state: "permission denied", hint: PERMISSION_HINT },
  EPERM: { kind: "permission", state: "the system does not permit it", hint: PERMISSION_HINT },
  EROFS: {
    kind: "read_only",
    state: "the filesystem is read-only",
    hint: "Mount it writable, then run the command again.",
  },
  ENOENT: { kind: "missing", state: "it does not exist" },
  ENOTDIR: { kind: "not_a_file", state: "a part of the path is not a folder" },
  EISDIR: { kind: "not_a_file", state: "it is a folder" },
  ELOOP: { kind: "not_a_file", state: "it is a symlink" },
  ENOTEMPTY: { kind: "storage", state: "the folder is not empty" },
  EEXIST: { kind: "storage", state: "something is there already" },
  EIO: { kind: "storage", state: "the disk reports an error", hint: "Look at the kernel log (dmesg)." },
  EMFILE: { kind: "storage", state: "too many open files", hint: "Raise the limit (ulimit -n)." },
  ENAMETOOLONG: { kind: "storage", state: "the name is too long for this filesystem" },
  EBUSY: { kind: "storage", state: "it is in use" },
  ESTALE: { kind: "storage", state: "the network filesystem lost it", hint: "Check the mount." },
};

/** A call to the operating system failed. `context.errno` has its POSIX name (null where unknown). */
export class SystemError extends StorageError {
  override readonly kind: SystemErrorKind;
  /** `ENOSPC`, `EACCES`, …; undefined where unknown. */
  readonly errno: string | undefined;

  constructor(action: string, path: string, cause: unknown) {
    const errno = errorCode(cause);
    const text: ErrnoText = (errno === undefined ? undefined : ERRNO_TEXT[errno]) ??
      { kind: "storage", state: cause instanceof Error ? cause.message : String(cause) };
    super(`Cannot ${action} ${path}: ${text.state}`, {
      ...(text.hint === undefined ? {} : { hint: text.hint }),
      context: { errno: errno ?? null, path, action },
      cause,
    });
    this.kind = text.kind;
    this.errno = errno;
  }
}

/** Turns what a system call threw into a `SystemError`; everything else (our own errors, bugs) is returned as it is. */
export function systemError(error: unknown, action: string, path: string): unknown {
  if (error instanceof RollbackError) return error;
  return isSystemFailure(error) ? new SystemError(action, path, error) : error;
}

/** Runs `work`, and lets failures of the operating system out as `SystemError`s. */
export function attempt<T>(action: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw systemError(error, action, path);
  }
}

/** True for what Deno's and Node's system calls throw. */
export function isSystemFailure(error: unknown): boolean {
  if (error instanceof RollbackError) return false;
  return errorCode(error)?.startsWith("E") === true && !errorCode(error)!.startsWith("ERR_") ||
    error instanceof Deno.errors.NotCapable || error instanceof Deno.errors.PermissionDenied;
}

/** What a path is, without following a symlink; undefined when nothing is there. @throws {SystemError} */
export function lookAt(path: string): Deno.FileInfo | undefined {
  return attempt("look at", path, () => lstat(path));
}
