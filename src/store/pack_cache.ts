/** Local copies of the packs that were read last, so that parts of them can be read in any order. */
import * as posix from "#/core/posix.ts";
import { attempt } from "#/core/system_error.ts";
import type { ByteRange } from "#/storage/bucket/bucket.ts";
import { BucketError } from "#/storage/bucket/bucket_error.ts";

/** How many packs are kept; content is read pack by pack, so that few are enough. */
const MAX_KEPT = 6;
/** How often a download begins anew when the connection broke on the way. */
const MAX_TRIES = 4;

export class PackCache implements AsyncDisposable {
  readonly #download: (name: string, file: Deno.FsFile) => Promise<boolean>;
  readonly #folder: () => string;
  /** Oldest use first. */
  readonly #kept = new Map<string, Promise<string | undefined>>();

  /**
   * @param download writes a pack to an open, empty file; false when there is none
   * @param folder where copies are kept; made when it is asked for
   */
  constructor(download: (name: string, file: Deno.FsFile) => Promise<boolean>, folder: () => string) {
    this.#download = download;
    this.#folder = folder;
  }

  /** Undefined when there is no copy here. */
  async read(name: string, range: ByteRange): Promise<Uint8Array | undefined> {
    const kept = this.#kept.get(name);
    if (kept === undefined) return undefined;
    this.#kept.delete(name);
    this.#kept.set(name, kept);
    const path = await kept;
    return path === undefined ? undefined : readRange(path, range);
  }

  /** Fetches it first; undefined when there is no such pack. */
  async fetchAndRead(name: string, range: ByteRange): Promise<Uint8Array | undefined> {
    for (;;) {
      const kept = this.#kept.get(name) ?? this.#begin(name);
      const path = await kept;
      if (path === undefined) return undefined;
      const bytes = readRange(path, range);
      if (bytes === undefined) { // dropped just now
        if (this.#kept.get(name) === kept) this.#kept.delete(name);
        continue;
      }
      await this.#dropOldest();
      return bytes;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#kept.values());
    this.#kept.clear();
  }

  #begin(name: string): Promise<string | undefined> {
    const kept = this.#fetch(name);
    this.#kept.set(name, kept);
    // What failed, or was not there, is asked for again the next time.
    kept.then((path) => path ?? this.#kept.delete(name), () => this.#kept.delete(name));
    return kept;
  }

  async #fetch(name: string): Promise<string | undefined> {
    for (let tries = 1;; tries++) {
      const path = `${this.#folder()}/${crypto.randomUUID()}.pack`;
      try {
        using file = attempt("create", path, () => posix.openNewFile(path, 0o600));
        if (await this.#download(name, file)) return path;
        posix.unlink(path);
        return undefined;
      } catch (error) {
        if (posix.lstat(path) !== undefined) posix.unlink(path);
        const isTransient = error instanceof BucketError && error.isTransient;
        if (!isTransient || tries === MAX_TRIES) throw error;
      }
    }
  }

  async #dropOldest(): Promise<void> {
    for (const [name, kept] of this.#kept) {
      if (this.#kept.size <= MAX_KEPT) return;
      this.#kept.delete(name);
      const path = await kept.catch(() => undefined);
      if (path !== undefined && posix.lstat(path) !== undefined) posix.unlink(path);
    }
  }
}

/** Undefined when the copy is gone. */
function readRange(path: string, { offset, length }: ByteRange): Uint8Array | undefined {
  return attempt("read", path, () => {
    if (posix.lstat(path) === undefined) return undefined;
    using file = Deno.openSync(path, { read: true });
    const size = file.statSync().size;
    const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
    file.seekSync(offset, Deno.SeekMode.Start);
    let done = 0;
    while (done < bytes.length) {
      const got = file.readSync(bytes.subarray(done));
      if (got === null) break;
      done += got;
    }
    return bytes.subarray(0, done);
  });
}
