/**
 * What Deno's API lacks: times to the nanosecond, extended attributes, changes to a symlink itself, raw names, one sync
 * of a whole filesystem. Linux only, and only with the permission to call foreign functions: `native()` is undefined
 * elsewhere, and who asks says what is then left out. Calls that change something go through `core/posix.ts`.
 */
import {
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  cPath as c,
  ENOENT,
  ENOTDIR,
  makeNativeFiles,
  nativeFailure as failure,
  type NativeFiles,
  O_FOLDER,
  statxInode,
  statxTime,
  timeSpecs,
} from "#/core/native_files.ts";
import { errnoReader, type Library, makeAttempt, openLibrary } from "#/core/native_symbols.ts";

/** What `lstat` says, to the nanosecond. */
export interface FileStat {
  /** With the type's bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly nlink: number;
  /** Exact; text where a number would round it. */
  readonly ino: number | string;
  /** Of the filesystem that it is on. */
  readonly dev: string;
  /** `seconds.nanoseconds` since 1970; negative seconds have the nanoseconds added to them. */
  readonly mtime: string;
  readonly ctime: string;
  /** Whether it takes less room than its size says. */
  readonly sparse: boolean;
  /** Major and minor number of a device. */
  readonly rdev: readonly [number, number];
}

/** A name in a folder. */
export interface FolderName {
  /** Undefined when it is not UTF-8; then `shown` tells it as well as can be. */
  readonly name: string | undefined;
  readonly shown: string;
}

export interface Native {
  /** Without following a symlink; undefined when nothing is there. */
  stat(path: string): FileStat | undefined;
  /** Undefined when there is no such folder (a symlink is none). */
  readFolder(path: string): FolderName[] | undefined;
  /** Of the file or symlink itself, by name; empty where the filesystem has none. */
  readAttributes(path: string): Map<string, Uint8Array>;
  /** Files by their descriptors. */
  readonly files: NativeFiles;
  readonly change: NativeChanges;
}

/** Calls that change something: for `core/posix.ts` only. */
export interface NativeChanges {
  setAttribute(path: string, name: string, value: Uint8Array): void;
  removeAttribute(path: string, name: string): void;
  /** Sets the modification time (`seconds.nanoseconds`), and the access time to the same. */
  setTime(path: string, mtime: string): void;
  chown(path: string, uid: number, gid: number): void;
  /** Never through a symlink. */
  chmod(path: string, mode: number): void;
  mknod(path: string, mode: number, rdev: readonly [number, number]): void;
  /** Makes everything on the filesystem of `folder` durable. */
  syncFilesystem(folder: string): void;
  /** The same, off this thread. */
  syncFilesystemAside(folder: string): Promise<void>;
}

const STATX_BASIC = 0x7ff;
const O_CLOEXEC = 0x80000;
const [EIO, ELOOP, ENODATA, ENOTSUP] = [5, 40, 61, 95];
const BLOCK = 512;
const MAX_VALUE = 1 << 16;
/**
 * Buffers from this length on go back to the system as soon as they are free, instead of leaving holes behind. Those of a
 * frame are shorter: to map and unmap each takes longer than to fill it.
 */
const LARGE_BYTES = 640 * 1024;
/** So much at the end of what is free stays for the next. */
const KEPT_BYTES = 2 * 1024 * 1024;
const M_MMAP_THRESHOLD = -3;
const M_TRIM_THRESHOLD = -1;

let opened: Native | undefined | null = null;
let library: Library | undefined;
let hidden = false;

/** Undefined without the permission, on other systems, or when a symbol is missing. */
export function native(): Native | undefined {
  if (hidden) return undefined;
  if (opened !== null) return opened;
  library = openLibrary();
  opened = library === undefined ? undefined : proven(makeNative(library), library);
  return opened;
}

/** A sandbox may forbid the newer calls: then none of them is used. */
function proven(made: Native, library: Library): Native | undefined {
  try {
    // The last needs that it can be told why a call fails.
    if (
      made.stat("/") !== undefined && made.readFolder("/") !== undefined &&
      made.stat("/\x01/\x02") === undefined
    ) {
      library.symbols.mallopt?.(M_MMAP_THRESHOLD, LARGE_BYTES);
      library.symbols.mallopt?.(M_TRIM_THRESHOLD, KEPT_BYTES);
      return made;
    }
  } catch {
    // as if there were no such library
  }
  library.close();
  return undefined;
}

/** Makes all functions at once, instead of as they are first used (tests only, which look for what is left open). */
export function openAllNative(): void {
  native();
  Object.values(library?.symbols ?? {});
}

/** Makes `native()` undefined, as without the permission, until it is called with false (tests only). */
export function withoutNative(without: boolean): void {
  hidden = without;
}

const strict = new TextDecoder("utf-8", { fatal: true });
const lenient = new TextDecoder();
// Reused: nothing here waits, and the calls copy.
const nameBytes = new Uint8Array(1024);
const statBytes = new Uint8Array(256);
const statView = new DataView(statBytes.buffer);
const listBytes = new Uint8Array(MAX_VALUE);
const listView = new DataView(listBytes.buffer);

function makeNative(library: Library): Native {
  const { symbols } = library;
  const errno = errnoReader(library);
  const attempt = makeAttempt(errno);
  const check = (call: () => number | bigint, name: string, path: string): number => {
    const result = attempt(call);
    if (result < 0) throw failure(name, path, -result);
    return result;
  };
  const value = (path: string, name: string): Uint8Array | undefined => {
    const call = () => symbols.lgetxattr(c(path), c(name, nameBytes), listBytes, BigInt(MAX_VALUE));
    const size = attempt(call);
    if (size === -ENODATA) return undefined; // removed meanwhile
    if (size < 0) throw failure("lgetxattr", path, -size);
    return listBytes.slice(0, size);
  };
  const openFolder = (path: string): number | undefined => {
    const fd = attempt(() => symbols.open(c(path), O_FOLDER | O_CLOEXEC, 0));
    if (fd === -ENOENT || fd === -ENOTDIR || fd === -ELOOP) return undefined;
    if (fd < 0) throw failure("open", path, -fd);
    return fd;
  };
  /** Once: what went wrong is told to the first who asks. */
  const sync = (fd: number, folder: string): void => {
    if (symbols.syncfs(fd) < 0) throw failure("syncfs", folder, errno());
  };
  const withFolder = (path: string, work: (fd: number) => void): boolean => {
    const fd = openFolder(path);
    if (fd === undefined) return false;
    try {
      work(fd);
    } finally {
      symbols.close(fd);
    }
    return true;
  };
  return {
    stat: (path) => {
      const call = () => symbols.statx(AT_FDCWD, c(path), AT_SYMLINK_NOFOLLOW, STATX_BASIC, statBytes);
      const result = attempt(call);
      if (result === 0) return readStat();
      if (result === -ENOENT || result === -ENOTDIR) return undefined;
      throw failure("statx", path, -result);
    },
    readFolder: (path) => {
      const names: FolderName[] = [];
      const found = withFolder(path, (fd) => {
        for (;;) {
          const end = attempt(() => symbols.getdents64(fd, listBytes, BigInt(MAX_VALUE)));
          if (end === 0 || end === -ENOENT) return; // removed meanwhile
          if (end < 0) throw failure("getdents64", path, -end);
          addNames(end, names);
        }
      });
      return found ? names : undefined;
    },
    readAttributes: (path) => {
      const found = new Map<string, Uint8Array>();
      const size = attempt(() => symbols.llistxattr(c(path), listBytes, BigInt(MAX_VALUE)));
      if (size === 0 || size === -ENOTSUP) return found;
      if (size < 0) throw failure("llistxattr", path, -size);
      const names = lenient.decode(listBytes.slice(0, size)).split("\0").filter((it) => it !== "");
      for (const name of names.sort()) {
        const bytes = value(path, name);
        if (bytes !== undefined) found.set(name, bytes);
      }
      return found;
    },
    files: makeNativeFiles(library, attempt),
    change: {
      setAttribute: (path, name, bytes) => {
        const given = bytes.length === 0 ? new Uint8Array(1) : bytes.slice();
        const size = BigInt(bytes.length);
        check(() => symbols.lsetxattr(c(path), c(name, nameBytes), given, size, 0), "lsetxattr", path);
      },
      removeAttribute: (path, name) => {
        check(() => symbols.lremovexattr(c(path), c(name, nameBytes)), "lremovexattr", path);
      },
      setTime: (path, mtime) => {
        check(
          () => symbols.utimensat(AT_FDCWD, c(path), timeSpecs(mtime), AT_SYMLINK_NOFOLLOW),
          "utimensat",
          path,
        );
      },
      chown: (path, uid, gid) => void check(() => symbols.lchown(c(path), uid, gid), "lchown", path),
      chmod: (path, mode) => {
        check(() => symbols.fchmodat(AT_FDCWD, c(path), mode, AT_SYMLINK_NOFOLLOW), "fchmodat", path);
      },
      mknod: (path, mode, [major, minor]) => {
        check(() => symbols.mknod(c(path), mode, deviceNumber(major, minor)), "mknod", path);
      },
      syncFilesystem: (folder) => {
        const found = withFolder(folder, (fd) => sync(fd, folder));
        if (!found) throw failure("syncfs", folder, ENOENT);
      },
      syncFilesystemAside: async (folder) => {
        const fd = openFolder(folder);
        if (fd === undefined) throw failure("syncfs", folder, ENOENT);
        try {
          if (await symbols.sync_aside(fd) === 0) return;
          // What went wrong on another thread only that thread knows; and it is told once, so a second try may succeed.
          sync(fd, folder);
          throw failure("syncfs", folder, EIO);
        } finally {
          symbols.close(fd);
        }
      },
    },
  };
}

/** From `struct statx`, whose layout is the same on every architecture. */
function readStat(): FileStat {
  const u32 = (at: number) => statView.getUint32(at, true);
  const size = u32(44) * 0x100000000 + u32(40);
  const blocks = u32(52) * 0x100000000 + u32(48);
  return {
    mode: statView.getUint16(28, true),
    uid: u32(20),
    gid: u32(24),
    size,
    nlink: u32(16),
    ino: statxInode(statView),
    dev: `${u32(136)}:${u32(140)}`,
    mtime: statxTime(statView, 112),
    ctime: statxTime(statView, 96),
    sparse: blocks * BLOCK < size,
    rdev: [u32(128), u32(132)],
  };
}

function deviceNumber(major: number, minor: number): bigint {
  const [a, b] = [BigInt(major), BigInt(minor)];
  return (b & 0xffn) | ((a & 0xfffn) << 8n) | ((b & ~0xffn) << 12n) | ((a & ~0xfffn) << 32n);
}

/** From `struct linux_dirent64`. */
function addNames(end: number, names: FolderName[]): void {
  for (let at = 0; at < end;) {
    const length = listView.getUint16(at + 16, true);
    const from = at + 19;
    let to = from;
    let ascii = true;
    while (listBytes[to] !== 0) if (listBytes[to++]! > 127) ascii = false;
    at += length;
    if (listBytes[from] === 46 && (to - from === 1 || to - from === 2 && listBytes[from + 1] === 46)) {
      continue;
    }
    const bytes = listBytes.subarray(from, to);
    const shown = ascii ? asciiText(bytes) : lenient.decode(bytes);
    names.push({ name: ascii || isUtf8(bytes) ? shown : undefined, shown });
  }
}

function asciiText(bytes: Uint8Array): string {
  return String.fromCharCode.apply(undefined, bytes as unknown as number[]);
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes);
    return true;
  } catch {
    return false;
  }
}
