/** Advisory locks on open files (flock): they end with their process, so they show whether it lives. */
import * as fs from "node:fs";

interface TryLockable {
  tryLockSync?(exclusive: boolean): boolean;
}

/** How long an old runtime, which can only wait for a lock, waits to find out that it is held, in milliseconds. */
const PROBE_MS = 300;
const PROBE_STEP_MS = 10;

/** Filesystems that one kernel has to itself, by `statfs` magic: a lock that is free there has no holder anywhere. */
const LOCAL_FILESYSTEMS: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // xfs
  0x9123683e, // btrfs
  0x01021994, // tmpfs
  0x794c7630, // overlay
  0x2fc12fc1, // zfs
  0xf2f52010, // f2fs
  0xca451a4e, // bcachefs
]);

export type AdvisoryState = "obtained" | "held" | "unsupported";

/** Takes the lock of a file that nobody else knows yet (so that it cannot block). False where flock does not work. */
export function holdNew(file: Deno.FsFile): boolean {
  try {
    file.lockSync(true);
    return true;
  } catch {
    return false;
  }
}

/** A wait for a lock that an old runtime cannot break off. */
interface Pending {
  readonly ino: number | null;
  readonly file: Deno.FsFile;
  state: "obtained" | "unsupported" | undefined;
  abandoned: boolean;
}

/**
 * Tries to take the exclusive lock of files. A runtime without `tryLock` can only wait for a lock, so there one wait goes
 * on between the tries; it ends, and closes its file, after the holder has gone.
 */
export class AdvisoryProbe implements Disposable {
  #pending: Pending | undefined;

  /**
   * @param file open for reading and writing; the probe closes it unless it is handed back
   * @returns with "obtained" the file that has the lock, for the caller to close
   */
  async try(file: Deno.FsFile): Promise<{ readonly state: AdvisoryState; readonly file?: Deno.FsFile }> {
    const tryLockSync = (file as TryLockable).tryLockSync;
    if (tryLockSync === undefined) return await this.#wait(file);
    try {
      if (tryLockSync.call(file, true)) return { state: "obtained", file };
      file.close();
      return { state: "held" };
    } catch {
      file.close();
      return { state: "unsupported" };
    }
  }

  [Symbol.dispose](): void {
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending === undefined) return;
    if (pending.state === undefined) pending.abandoned = true;
    else pending.file.close();
  }

  async #wait(file: Deno.FsFile): Promise<{ readonly state: AdvisoryState; readonly file?: Deno.FsFile }> {
    const { ino } = file.statSync();
    if (this.#pending?.ino === ino) file.close();
    else this.#begin(file, ino);
    const pending = this.#pending!;
    for (let waited = 0; pending.state === undefined && waited < PROBE_MS; waited += PROBE_STEP_MS) {
      await new Promise((resolve) => setTimeout(resolve, PROBE_STEP_MS));
    }
    if (pending.state === undefined) return { state: "held" };
    this.#pending = undefined;
    if (pending.state === "obtained") return { state: "obtained", file: pending.file };
    pending.file.close();
    return { state: "unsupported" };
  }

  #begin(file: Deno.FsFile, ino: number | null): void {
    this[Symbol.dispose]();
    const pending: Pending = { ino, file, state: undefined, abandoned: false };
    const end = (state: "obtained" | "unsupported") => {
      pending.state = state;
      if (pending.abandoned) file.close();
    };
    file.lock(true).then(() => end("obtained"), () => end("unsupported"));
    this.#pending = pending;
  }
}

/** True when no other machine can have a file there open. */
export function isLocalFilesystem(path: string): boolean {
  try {
    return LOCAL_FILESYSTEMS.has(fs.statfsSync(path).type);
  } catch {
    return false;
  }
}
