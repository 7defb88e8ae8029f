/** The store in memory, with a look at what is read, and the moment before it is. */
import type { FileToStore, StoredFile } from "#/store/store.ts";
import { MemoryStore } from "../support/memory_store.ts";

export class WatchedStore extends MemoryStore {
  /** Every file that was given to be read. */
  readonly filesRead: string[] = [];
  /** How often content was read back. */
  reads = 0;
  /** Called after content was read back. */
  onReadBack: (reads: number) => void = () => {};
  /** Called before a file is read: to change it then. */
  onRead: (path: string) => void = () => {};

  override async addFiles(files: readonly FileToStore[]): Promise<readonly StoredFile[]> {
    const stored: StoredFile[] = [];
    for (const file of files) {
      this.filesRead.push(file.path);
      this.onRead(file.path);
      stored.push(...await this.#readable(file));
    }
    return stored;
  }

  override async readBytes(...given: Parameters<MemoryStore["readBytes"]>): Promise<Uint8Array> {
    const bytes = await super.readBytes(...given);
    this.onReadBack(++this.reads);
    return bytes;
  }

  async #readable(file: FileToStore): Promise<readonly StoredFile[]> {
    try {
      return await super.addFiles([file]);
    } catch (error) {
      if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
      return [{ kind: "unreadable", reason: "EACCES" }];
    }
  }
}
