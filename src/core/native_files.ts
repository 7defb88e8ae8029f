/**
 * Files by their descriptors, through the C library. Deno's own calls look at every folder of a path for their permission
 * check, one system call each, which costs more than reading or writing a small file does. The permission to call
 * foreign functions is the permission for these. Calls that change something go through `core/posix_files.ts`.
 */
import { type Attempt, ERRNO, type Library } from "#/core/native_symbols.ts";

/** What tells that a file is another, or was written to. */
export interface FileStamp {
  readonly size: number;
  /** `seconds.nanoseconds` since 1970; three digits where only milliseconds were known. */
  readonly mtime: string;
  readonly ctime: string;
  /** Exact; text where a number would round it. */
  readonly ino: number | string;
}

export type FileKind = "file" | "folder" | "symlink" | "other";

/** Reads; every call is one system call. */
export interface NativeFiles {
  /** Without following a symlink; undefined when nothing is there, `"other"` for anything but a regular file. */
  stamp(path: string): FileStamp | "other" | undefined;
  /** The same of an open file: no path is walked. */
  stampOf(fd: number, path: string): FileStamp | "other";
  /** Without following a symlink; undefined when nothing is there. */
  kind(path: string): FileKind | undefined;
  /** For reading; neither through a symlink as the last part nor waiting for a pipe. Close it. */
  open(path: string): number;
  /** Bytes read; 0 at the end. */
  readAt(fd: number, into: Uint8Array, at: number, path: string): number;
  /** Whether an open file has extended attributes, access control lists among them. */
  hasAttributes(fd: number): boolean;
  close(fd: number): void;
  /** Whether this is a folder, and no part of the path is a symlink. False also where the system cannot tell. */
  isPlainFolder(path: string): boolean;
  readonly change: NativeFileChanges;
}

/** Calls that change something: for `core/posix_files.ts` only. */
export interface NativeFileChanges {
  /** Makes a file that must not exist, and opens it for reading and writing. */
  create(path: string, mode: number): number;
  /** Opens for writing a file that is there; not through a symlink as the last part. */
  openToWrite(path: string): number;
  /** Writes all of it. */
  writeAt(fd: number, bytes: Uint8Array, at: number, path: string): void;
  resize(fd: number, size: number, path: string): void;
  /** Lets the disk begin to write what was written, without a wait; a sync afterwards has less to do. */
  startWriteback(fd: number): void;
  chown(fd: number, uid: number, gid: number, path: string): void;
  chmod(fd: number, mode: number, path: string): void;
  /** @param mtime `seconds.nanoseconds` */
  setTime(fd: number, mtime: string, path: string): void;
  rename(from: string, to: string): void;
  mkdir(path: string, mode: number): void;
  link(from: string, to: string): void;
  unlink(path: string): void;
  rmdir(path: string): void;
}

export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const NO_PATH = new Uint8Array(1);
const O_CLOEXEC = 0x80000;
const isArm = Deno.build.arch === "aarch64";
/** `O_DIRECTORY | O_NOFOLLOW` */
export const O_FOLDER = isArm ? 0x4000 | 0x8000 : 0x10000 | 0x20000;
const O_DIRECTORY = isArm ? 0x4000 : 0x10000;
const O_NOFOLLOW = isArm ? 0x8000 : 0x20000;
const O_PATH = 0x200000;
const O_NONBLOCK = 0x800;
const [O_WRONLY, O_RDWR, O_CREAT, O_EXCL] = [1, 2, 0x40, 0x80];
/** `STATX_TYPE | STATX_MTIME | STATX_CTIME | STATX_INO | STATX_SIZE` */
const STATX_STAMP = 0x1 | 0x40 | 0x80 | 0x100 | 0x200;
const STATX_TYPE = 0x1;
const TYPE_BITS = 0o170000;
const REGULAR = 0o100000;
const KINDS: Readonly<Record<number, FileKind>> = {
  [REGULAR]: "file",
  0o040000: "folder",
  0o120000: "symlink",
};
const SYS_OPENAT2 = 437n;
const RESOLVE_NO_SYMLINKS = 0x04n;
const SYNC_FILE_RANGE_WRITE = 2;
export const ENOENT = 2;
export const ENOTDIR = 20;

const encoder = new TextEncoder();
// Reused: nothing here waits, and the calls copy.
const pathBytes = new Uint8Array(16384);
const otherBytes = new Uint8Array(16384);
const statBytes = new Uint8Array(256);
const statView = new DataView(statBytes.buffer);
/** `struct open_how` */
const plainFolder = new Uint8Array(
  new BigUint64Array([BigInt(O_PATH | O_DIRECTORY | O_CLOEXEC), 0n, RESOLVE_NO_SYMLINKS]).buffer,
);

/** A path as the C library takes it, in a buffer that the next call uses again. */
export function cPath(text: string, into: Uint8Array = pathBytes): Uint8Array {
  // By hand while it is ASCII: a call of the encoder costs as much as the system call.
  let at = 0;
  if (text.length < into.length) {
    for (; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      if (unit > 127) break;
      into[at] = unit;
    }
    if (at === text.length) {
      into[at] = 0;
      return into;
    }
  }
  const { read, written } = encoder.encodeInto(text, into);
  if (read !== text.length || written >= into.length) throw nativeFailure("look at", text, 36);
  into[written] = 0;
  return into;
}

export function nativeFailure(call: string, path: string, errno: number): Error {
  const code = ERRNO[errno] ?? `E${errno}`;
  return Object.assign(new Error(`${call} ${path}: ${code}`), { code });
}

export function makeNativeFiles({ symbols }: Library, attempt: Attempt): NativeFiles {
  const check = (call: () => number | bigint, name: string, path: string): number => {
    const result = attempt(call);
    if (result < 0) throw nativeFailure(name, path, -result);
    return result;
  };
  /** False when nothing is there. */
  const look = (path: string, mask: number): boolean => {
    const result = attempt(() => symbols.statx(AT_FDCWD, cPath(path), AT_SYMLINK_NOFOLLOW, mask, statBytes));
    if (result === 0) return true;
    if (result === -ENOENT || result === -ENOTDIR) return false;
    throw nativeFailure("statx", path, -result);
  };
  return {
    stamp: (path) => look(path, STATX_STAMP) ? readStamp() : undefined,
    stampOf: (fd, path) => {
      check(() => symbols.statx(fd, NO_PATH, AT_EMPTY_PATH, STATX_STAMP, statBytes), "statx", path);
      return readStamp();
    },
    kind: (path) => {
      if (!look(path, STATX_TYPE)) return undefined;
      return KINDS[statView.getUint16(28, true) & TYPE_BITS] ?? "other";
    },
    open: (path) =>
      check(() => symbols.open(cPath(path), O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0), "open", path),
    readAt: (fd, into, at, path) =>
      check(() => symbols.pread(fd, into, BigInt(into.length), BigInt(at)), "read", path),
    // Where the filesystem has none the call fails.
    hasAttributes: (fd) => symbols.flistxattr(fd, NO_PATH, 0n) > 0,
    close: (fd) => void symbols.close(fd),
    isPlainFolder: (path) => {
      const fd = Number(symbols.syscall(SYS_OPENAT2, AT_FDCWD, cPath(path), plainFolder, 24n));
      if (fd < 0) return false;
      symbols.close(fd);
      return true;
    },
    change: {
      create: (path, mode) =>
        check(() => symbols.open(cPath(path), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode), "open", path),
      openToWrite: (path) =>
        check(
          () => symbols.open(cPath(path), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0),
          "open",
          path,
        ),
      writeAt: (fd, bytes, at, path) => {
        for (let done = 0; done < bytes.length;) {
          const rest = done === 0 ? bytes : bytes.subarray(done);
          const put = () => symbols.pwrite(fd, rest, BigInt(rest.length), BigInt(at + done));
          done += check(put, "write", path);
        }
      },
      resize: (fd, size, path) => void check(() => symbols.ftruncate(fd, BigInt(size)), "truncate", path),
      startWriteback: (fd) => void symbols.sync_file_range?.(fd, 0n, 0n, SYNC_FILE_RANGE_WRITE),
      chown: (fd, uid, gid, path) => void check(() => symbols.fchown(fd, uid, gid), "chown", path),
      chmod: (fd, mode, path) => void check(() => symbols.fchmod(fd, mode), "chmod", path),
      setTime: (fd, mtime, path) => void check(() => symbols.futimens(fd, timeSpecs(mtime)), "utimes", path),
      rename: (from, to) =>
        void check(() => symbols.rename(cPath(from), cPath(to, otherBytes)), "rename", to),
      mkdir: (path, mode) => void check(() => symbols.mkdir(cPath(path), mode), "mkdir", path),
      link: (from, to) => void check(() => symbols.link(cPath(from), cPath(to, otherBytes)), "link", to),
      unlink: (path) => void check(() => symbols.unlink(cPath(path)), "unlink", path),
      rmdir: (path) => void check(() => symbols.rmdir(cPath(path)), "rmdir", path),
    },
  };
}

function readStamp(): FileStamp | "other" {
  if ((statView.getUint16(28, true) & TYPE_BITS) !== REGULAR) return "other";
  return {
    size: statView.getUint32(44, true) * 0x100000000 + statView.getUint32(40, true),
    mtime: statxTime(statView, 112),
    ctime: statxTime(statView, 96),
    ino: statxInode(statView),
  };
}

/** `seconds.nanoseconds`, from a `struct statx_timestamp`. */
export function statxTime(view: DataView, at: number): string {
  const seconds = view.getInt32(at + 4, true) * 0x100000000 + view.getUint32(at, true);
  const rest = view.getUint32(at + 8, true);
  return rest >= 100_000_000 ? `${seconds}.${rest}` : `${seconds}.${String(rest).padStart(9, "0")}`;
}

/** From a `struct statx`; text where a number would round it. */
export function statxInode(view: DataView): number | string {
  const high = view.getUint32(36, true);
  return high < 0x200000
    ? high * 0x100000000 + view.getUint32(32, true)
    : view.getBigUint64(32, true).toString();
}

/** Two `struct timespec`: access time and modification time. */
export function timeSpecs(time: string): Uint8Array<ArrayBuffer> {
  const [seconds = "0", rest = ""] = time.split(".");
  const specs = new BigInt64Array(4);
  specs[0] = specs[2] = BigInt(seconds);
  specs[1] = specs[3] = BigInt(rest.padEnd(9, "0").slice(0, 9));
  return new Uint8Array(specs.buffer);
}
