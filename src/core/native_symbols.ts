/** The C library's functions that backout calls, and which file has them. */

const PATH = "buffer";

export const SYMBOLS = {
  statx: { parameters: ["i32", PATH, "i32", "u32", "buffer"], result: "i32" },
  open: { parameters: [PATH, "i32", "u32"], result: "i32" },
  pread: { parameters: ["i32", "buffer", "usize", "i64"], result: "isize" },
  pwrite: { parameters: ["i32", "buffer", "usize", "i64"], result: "isize" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  /** Of Linux only. */
  sync_file_range: { parameters: ["i32", "i64", "i64", "u32"], result: "i32", optional: true },
  fchown: { parameters: ["i32", "u32", "u32"], result: "i32" },
  fchmod: { parameters: ["i32", "u32"], result: "i32" },
  futimens: { parameters: ["i32", "buffer"], result: "i32" },
  rename: { parameters: [PATH, PATH], result: "i32" },
  mkdir: { parameters: [PATH, "u32"], result: "i32" },
  link: { parameters: [PATH, PATH], result: "i32" },
  unlink: { parameters: [PATH], result: "i32" },
  rmdir: { parameters: [PATH], result: "i32" },
  /** As `openat2`, which no C library has under its own name. */
  syscall: { parameters: ["i64", "i32", PATH, "buffer", "usize"], result: "i64" },
  close: { parameters: ["i32"], result: "i32" },
  getdents64: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  sync_aside: { name: "syncfs", parameters: ["i32"], result: "i32", nonblocking: true },
  syncfs: { parameters: ["i32"], result: "i32" },
  flistxattr: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  llistxattr: { parameters: [PATH, "buffer", "usize"], result: "isize" },
  lgetxattr: { parameters: [PATH, "buffer", "buffer", "usize"], result: "isize" },
  lsetxattr: { parameters: [PATH, "buffer", "buffer", "usize", "i32"], result: "i32" },
  lremovexattr: { parameters: [PATH, "buffer"], result: "i32" },
  utimensat: { parameters: ["i32", PATH, "buffer", "i32"], result: "i32" },
  lchown: { parameters: [PATH, "u32", "u32"], result: "i32" },
  fchmodat: { parameters: ["i32", PATH, "u32", "i32"], result: "i32" },
  mknod: { parameters: [PATH, "u32", "u64"], result: "i32" },
  /** Of glibc only. */
  mallopt: { parameters: ["i32", "i32"], result: "i32", optional: true },
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

export type Library = Pick<Deno.DynamicLibrary<typeof SYMBOLS>, "symbols" | "close">;

/** Makes a call of the C library; its result, or the negative number of what it fails with. */
export type Attempt = (call: () => number | bigint) => number;

/** What tells why the last call of this thread failed. Nothing is allocated to read it. */
export function errnoReader({ symbols }: Library): () => number {
  const view = new Deno.UnsafePointerView(symbols.__errno_location()!);
  return () => view.getInt32();
}

const EINTR = 4;
const EIO = 5;
/** EAGAIN, ENOMEM and EINVAL: what the runtime's own calls fail with, for locks and memory. */
const DOUBTFUL: ReadonlySet<number> = new Set([11, 12, 22]);
const MAX_ROUNDS = 100;

/**
 * Between a call and the look at why it failed the runtime may run: a garbage collection, a lock of its compiler. What
 * these fail with then stands there instead. So such a reason counts when it comes twice in a row: a call that fails with
 * it did nothing, and is made again. What a signal interrupted is made again as well.
 */
export function makeAttempt(errno: () => number): Attempt {
  return (call) => {
    let last = 0;
    for (let round = 1;; round++) {
      const result = call();
      if (result >= 0) return Number(result);
      const code = errno() || EIO; // it failed, whatever is said of it
      const isDoubtful = code === EINTR || DOUBTFUL.has(code) && code !== last;
      if (!isDoubtful || round === MAX_ROUNDS) return -code;
      last = code;
    }
  };
}

/** glibc, then musl under the names that Alpine and others give it. */
const LIBRARIES: Readonly<Record<string, readonly string[]>> = {
  "x86_64": ["libc.so.6", "libc.musl-x86_64.so.1"],
  "aarch64": ["libc.so.6", "libc.musl-aarch64.so.1"],
};

/** Opens the C library; undefined where there is none that we know, or a symbol is missing, or it is not permitted. */
export function openLibrary(): Library | undefined {
  if (Deno.build.os !== "linux") return undefined;
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return undefined;
  for (const name of LIBRARIES[Deno.build.arch] ?? []) {
    try {
      assertHasSymbols(name);
      return openOnUse(name);
    } catch {
      continue; // not this C library, or an old one: the limits are then named
    }
  }
  return undefined;
}

/** Looks all of them up, as calls off this thread: such a call needs no machine code of its own. @throws one is missing */
function assertHasSymbols(library: string): void {
  const aside = Object.entries<Deno.ForeignFunction>(SYMBOLS)
    .map(([name, definition]) => [name, { ...definition, nonblocking: true }]);
  Deno.dlopen(library, Object.fromEntries(aside)).close();
}

/**
 * A library whose functions are made as they are first used: the runtime compiles each for 0.3 ms, in every thread, and a
 * command uses some five of them.
 */
function openOnUse(library: string): Library {
  const opened: { close(): void }[] = [];
  const symbols: Record<string, unknown> = {};
  for (const [name, definition] of Object.entries<Deno.ForeignFunction>(SYMBOLS)) {
    const open = (): unknown => {
      const made = Deno.dlopen(library, { [name]: definition });
      opened.push(made);
      const value = made.symbols[name];
      Object.defineProperty(symbols, name, { value });
      return value;
    };
    Object.defineProperty(symbols, name, { get: open, enumerable: true, configurable: true });
  }
  const close = () => opened.splice(0).forEach((it) => it.close());
  return { symbols: symbols as Library["symbols"], close };
}

/** The POSIX names of what these calls fail with (the numbers are the same on x86-64 and arm64). */
export const ERRNO: Readonly<Record<number, string>> = {
  1: "EPERM",
  2: "ENOENT",
  4: "EINTR",
  5: "EIO",
  6: "ENXIO",
  9: "EBADF",
  11: "EAGAIN",
  12: "ENOMEM",
  13: "EACCES",
  16: "EBUSY",
  17: "EEXIST",
  18: "EXDEV",
  20: "ENOTDIR",
  21: "EISDIR",
  22: "EINVAL",
  23: "ENFILE",
  24: "EMFILE",
  26: "ETXTBSY",
  27: "EFBIG",
  28: "ENOSPC",
  30: "EROFS",
  31: "EMLINK",
  34: "ERANGE",
  36: "ENAMETOOLONG",
  38: "ENOSYS",
  39: "ENOTEMPTY",
  40: "ELOOP",
  61: "ENODATA",
  75: "EOVERFLOW",
  95: "ENOTSUP",
  116: "ESTALE",
  122: "EDQUOT",
};
