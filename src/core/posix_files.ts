/**
 * Files that are written by the thousand: each call stopped by the fault hook of `posix.ts`, through the C library where
 * it may be called, else through Deno.
 */
import { native } from "#/core/native.ts";
import type { NativeFiles } from "#/core/native_files.ts";
import * as posix from "#/core/posix.ts";

/** Owner, mode and time that a file is to have. */
export interface FileLook {
  readonly uid: number;
  readonly gid: number;
  /** Permission bits with set-id and sticky. */
  readonly mode: number;
  /** `seconds.nanoseconds` since 1970. */
  readonly mtime: string;
}

/** An open file that is being written. Nothing is durable. */
export interface OutputFile extends Disposable {
  /** @param at in bytes from the begin */
  writeAt(bytes: Uint8Array, at: number): void;
  /** What is added is a hole. */
  resize(size: number): void;
  /**
   * As far as this user may; nothing without foreign functions.
   * @returns whether it has the look for sure, and no extended attributes; otherwise look afterwards
   */
  dress(look: FileLook): boolean;
}

/** Creates a file that must not exist. */
export function createOutput(path: string, mode: number): OutputFile {
  const files = native()?.files;
  if (files === undefined) return new PlainOutput(posix.openNewFile(path, mode), path);
  posix.beforeCall("open", path);
  return new NativeOutput(files, files.change.create(path, mode), path);
}

/** Opens a file that is there; a symlink is not followed. */
export function openOutput(path: string): OutputFile {
  const files = native()?.files;
  if (files === undefined) return new PlainOutput(posix.openToFill(path), path);
  posix.beforeCall("open", path);
  return new NativeOutput(files, files.change.openToWrite(path), path);
}

export function rename(from: string, to: string): void {
  const files = native()?.files;
  if (files === undefined) return posix.rename(from, to);
  posix.beforeCall("rename", from);
  files.change.rename(from, to);
}

export function mkdir(path: string, mode: number): void {
  const files = native()?.files;
  if (files === undefined) return posix.mkdir(path, mode);
  posix.beforeCall("mkdir", path);
  files.change.mkdir(path, mode);
}

export function link(from: string, to: string): void {
  const files = native()?.files;
  if (files === undefined) return posix.link(from, to);
  posix.beforeCall("link", to);
  files.change.link(from, to);
}

export function unlink(path: string): void {
  const files = native()?.files;
  if (files === undefined) return posix.unlink(path);
  posix.beforeCall("unlink", path);
  files.change.unlink(path);
}

export function rmdir(path: string): void {
  const files = native()?.files;
  if (files === undefined) return posix.rmdir(path);
  posix.beforeCall("rmdir", path);
  files.change.rmdir(path);
}

/** The disk works along while more is written. Small files it gets many at a time, with the sync. */
const WRITEBACK_BYTES = 8 * 1024 * 1024;
const WORTH_WRITEBACK_BYTES = 256 * 1024;
/** What this user, or this filesystem, does not give to a file. */
const NOT_TO_HAVE: ReadonlySet<string> = new Set(["EPERM", "EACCES", "EINVAL", "ENOTSUP", "ENOSYS"]);

class NativeOutput implements OutputFile {
  readonly #files: NativeFiles;
  readonly #fd: number;
  readonly #path: string;
  /** Bytes that the disk was not told of yet. */
  #waiting = 0;

  constructor(files: NativeFiles, fd: number, path: string) {
    this.#files = files;
    this.#fd = fd;
    this.#path = path;
  }

  writeAt(bytes: Uint8Array, at: number): void {
    posix.beforeCall("write", this.#path);
    this.#files.change.writeAt(this.#fd, bytes, at, this.#path);
    this.#waiting += bytes.length;
    if (this.#waiting >= WRITEBACK_BYTES) this.#startWriteback();
  }

  #startWriteback(): void {
    this.#files.change.startWriteback(this.#fd);
    this.#waiting = 0;
  }

  resize(size: number): void {
    posix.beforeCall("write", this.#path);
    this.#files.change.resize(this.#fd, size, this.#path);
  }

  /** The owner first: a set-id bit is for nobody else, and a new owner clears it. */
  dress({ uid, gid, mode, mtime }: FileLook): boolean {
    const { change } = this.#files;
    try {
      posix.beforeCall("chown", this.#path);
      change.chown(this.#fd, uid, gid, this.#path);
      posix.beforeCall("chmod", this.#path);
      change.chmod(this.#fd, mode, this.#path);
      posix.beforeCall("utimes", this.#path);
      change.setTime(this.#fd, mtime, this.#path);
      return !this.#files.hasAttributes(this.#fd);
    } catch (error) {
      if (!NOT_TO_HAVE.has(posix.errorCode(error) ?? "")) throw error;
      return false;
    }
  }

  [Symbol.dispose](): void {
    if (this.#waiting >= WORTH_WRITEBACK_BYTES) this.#startWriteback();
    this.#files.close(this.#fd);
  }
}

class PlainOutput implements OutputFile {
  readonly #file: Deno.FsFile;
  readonly #path: string;

  constructor(file: Deno.FsFile, path: string) {
    this.#file = file;
    this.#path = path;
  }

  writeAt(bytes: Uint8Array, at: number): void {
    posix.writeAt(this.#file, this.#path, bytes, at);
  }

  resize(size: number): void {
    posix.resize(this.#file, this.#path, size);
  }

  dress(): boolean {
    return false; // by path, afterwards
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}
