/** A further copy of a dump as a file (`backup_file`): written while the dump passes to the store. */
import { dirname } from "node:path";
import { messageOf, RollbackBackupError } from "#/core/errors.ts";
import { makeFolders } from "#/core/output_file.ts";
import { lstat, openNewFile, rename, syncFile, unlink } from "#/core/posix.ts";
import type { StoreWriter } from "#/store/store.ts";

const BUFFER_BYTES = 1 << 20;

/** A file of mode 0600 that is there whole, or not at all. */
export class ExportedCopy implements Disposable {
  readonly #temporary: string;
  readonly #file: Deno.FsFile;
  #open = true;

  /** @throws {RollbackBackupError} it cannot be made there */
  constructor(readonly path: string) {
    this.#temporary = `${path}.backout-${crypto.randomUUID()}.tmp`;
    try {
      makeFolders(dirname(path));
      this.#file = openNewFile(this.#temporary, 0o600);
    } catch (cause) {
      throw new RollbackBackupError(`Cannot write the dump to ${path}: ${messageOf(cause)}`, { cause });
    }
  }

  write(bytes: Uint8Array): void {
    try {
      for (let offset = 0; offset < bytes.length;) offset += this.#file.writeSync(bytes.subarray(offset));
    } catch (cause) {
      throw new RollbackBackupError(`Cannot write the dump to ${this.path}: ${messageOf(cause)}`, { cause });
    }
  }

  /** Makes it durable, and gives it its name. */
  finish(): void {
    syncFile(this.#temporary);
    this.#close();
    rename(this.#temporary, this.path);
  }

  #close(): void {
    if (this.#open) this.#file.close();
    this.#open = false;
  }

  [Symbol.dispose](): void {
    this.#close();
    if (lstat(this.#temporary) !== undefined) unlink(this.#temporary);
  }
}

/** A writer of the store that writes everything to the copy too, in the order in which it comes. */
export function copyingWriter(writer: StoreWriter, copy: ExportedCopy): StoreWriter {
  return {
    known: writer.known,
    get storedBytes() {
      return writer.storedBytes;
    },
    addBytes: async (bytes) => {
      copy.write(bytes);
      return await writer.addBytes(bytes);
    },
    addStream: (stream, options) =>
      writer.addStream(
        stream.pipeThrough(
          new TransformStream<Uint8Array, Uint8Array>({
            transform: (bytes, controller) => {
              copy.write(bytes);
              controller.enqueue(bytes);
            },
          }),
        ),
        options,
      ),
    addFiles: async (files, options) => {
      for (const { path } of files) copyFile(path, copy);
      return await writer.addFiles(files, options);
    },
    commit: (manifest) => writer.commit(manifest),
    putBack: () => writer.putBack(),
    [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
  };
}

function copyFile(path: string, copy: ExportedCopy): void {
  using file = Deno.openSync(path, { read: true });
  const buffer = new Uint8Array(BUFFER_BYTES);
  for (let count = file.readSync(buffer); count !== null; count = file.readSync(buffer)) {
    copy.write(buffer.subarray(0, count));
  }
}
