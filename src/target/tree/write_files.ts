/**
 * Writes the files of a restore: under temporary names, durable many at a time, and renamed into place one by one. While
 * one portion becomes durable and gets its names, the store writes the next.
 */
import { Pacer } from "#/core/pace.ts";
import type { FileToWrite } from "#/store/store.ts";
import type { TreeAction, TreeTask } from "./compare.ts";
import { type TreeEntry, UNKNOWN_TIME } from "./entry.ts";
import { temporaryIn } from "./leftover.ts";
import { parentOf } from "./path.ts";
import { discard, dress, moveInto, type Placing } from "./place.ts";
import { filesToWrite, portions } from "./space.ts";
import { syncWritten } from "./sync_written.ts";

export interface FilesToWrite {
  readonly task: TreeTask;
  readonly actions: readonly TreeAction[];
  /** Little room: small portions, one after the other. */
  readonly narrow: boolean;
  readonly placing: Placing;
  /** Lets this user write in the folder of a path. */
  readonly open: (path: string) => void;
  /** Told the bytes of the files that were written so far. */
  readonly onProgress: (bytes: number) => void;
}

interface WrittenFile {
  readonly action: TreeAction;
  readonly temporary: string;
  /** It has its owner, mode and time, and no attributes: the store saw to that while it wrote. */
  dressed: boolean;
}

export interface FilesWritten {
  /** Of the files that were put in their places. */
  readonly bytes: number;
  /**
   * Files that were not there before, and are not durable yet: the caller sees to that before it says that all is done. A
   * crash before takes nothing away, and whoever goes on afterwards compares their bytes.
   */
  readonly unsynced: readonly string[];
}

export async function writeFiles(files: FilesToWrite): Promise<FilesWritten> {
  return await new FileWriting(files).go();
}

class FileWriting {
  readonly #files: FilesToWrite;
  readonly #pacer: Pacer;
  /** Prepared, and not yet in their places. */
  readonly #prepared = new Set<WrittenFile>();
  readonly #unsynced: string[] = [];
  #written = 0;
  #placed = 0;

  constructor(files: FilesToWrite) {
    this.#files = files;
    this.#pacer = new Pacer(files.task.signal);
  }

  async go(): Promise<FilesWritten> {
    const { actions, narrow } = this.#files;
    let before: readonly WrittenFile[] = [];
    try {
      for (const portion of portions(filesToWrite(actions), narrow)) {
        before = await this.#next(portion, before);
        if (narrow) before = await this.#next([], before);
      }
      await this.#next([], before);
      return { bytes: this.#placed, unsynced: this.#unsynced };
    } catch (error) {
      for (const { temporary } of this.#prepared) discardQuietly(temporary);
      throw error;
    }
  }

  /** Writes a portion, and puts the one before in its place meanwhile. Both have ended when this ends. */
  async #next(
    portion: readonly TreeAction[],
    before: readonly WrittenFile[],
  ): Promise<readonly WrittenFile[]> {
    const files = portion.map((action) => ({
      action,
      temporary: this.#temporaryFor(action.path),
      dressed: false,
    }));
    const [written, placed] = await Promise.allSettled([this.#write(files), this.#place(before)]);
    if (placed.status === "rejected") throw placed.reason;
    if (written.status === "rejected") throw written.reason;
    return files;
  }

  #temporaryFor(path: string): string {
    const { placing, task } = this.#files;
    return task.roots.includes(path) ? placing.temporaryFor(path) : temporaryIn(parentOf(path));
  }

  async #write(files: readonly WrittenFile[]): Promise<void> {
    if (files.length === 0) return;
    const { task, onProgress } = this.#files;
    let checked = "";
    for (const file of files) {
      checked = this.#checkFolder(file, checked);
      this.#prepared.add(file);
    }
    const done = this.#written;
    const { undressed } = await task.store.writeFiles(files.map(toWrite), {
      signal: task.signal,
      onProgress: (bytes) => onProgress(done + bytes),
    });
    for (const file of files) {
      this.#written += file.action.saved!.size ?? 0;
      file.dressed = lookOf(file.action.saved!).look !== undefined && !undressed.has(file.temporary);
    }
  }

  /** Files of a folder follow each other: it is looked at for the first of them. @returns the folder */
  #checkFolder({ action: { path } }: WrittenFile, checked: string): string {
    const folder = parentOf(path);
    if (folder === checked) return folder;
    this.#files.open(path);
    this.#files.placing.guard.check(path);
    return folder;
  }

  async #place(files: readonly WrittenFile[]): Promise<void> {
    const { guard } = this.#files.placing;
    for (const { action, temporary, dressed } of files) {
      if (dressed) continue;
      if (this.#pacer.due()) await this.#pacer.rest();
      guard.check(action.path);
      dress(temporary, action.saved!, this.#files.placing);
    }
    // What is replaced must not go before the new bytes are durable.
    const replaces = files.some(({ action }) => action.kind !== "create");
    if (replaces) await syncWritten(files.map((it) => it.temporary), [], this.#files.task.signal);
    for (const file of files) {
      if (this.#pacer.due()) await this.#pacer.rest();
      moveInto(file.temporary, file.action.path, this.#files.placing);
      this.#prepared.delete(file);
      if (!replaces) this.#unsynced.push(file.action.path);
      this.#placed += file.action.saved!.size ?? 0;
    }
  }
}

function toWrite({ action, temporary }: WrittenFile): FileToWrite {
  const saved = action.saved!;
  return {
    content: saved.content!,
    path: temporary,
    ...(saved.sparse === true ? { sparse: true } : {}),
    ...(action.kind === "create" ? {} : { base: action.path }),
    ...lookOf(saved),
  };
}

/** Where attributes are to follow, the mode follows them. */
function lookOf({ uid, gid, mode, mtime, attributes }: TreeEntry): Pick<FileToWrite, "look"> {
  return attributes === undefined && mtime !== UNKNOWN_TIME ? { look: { uid, gid, mode, mtime } } : {};
}

/** The error that stopped the work counts, not what the tidying up after it met. */
function discardQuietly(temporary: string): void {
  try {
    discard(temporary);
  } catch {
    // the next restore removes it
  }
}
