/** Waiting for a shared or exclusive flock, also on runtimes that can only block for one. */

interface TryLockable {
  tryLockSync?(exclusive: boolean): boolean;
}

/** How long an old runtime's blocking wait is looked at in one try, in milliseconds. */
const PROBE_MS = 300;
const PROBE_STEP_MS = 10;

/** Asks for one lock again and again. Dispose it; a file that was handed over is the caller's. */
export class FlockWait implements Disposable {
  readonly #path: string;
  readonly #exclusive: boolean;
  #file: Deno.FsFile | undefined;
  #outcome: { readonly error?: unknown } | undefined;
  #abandoned = false;

  /** @param path a file that is there */
  constructor(path: string, exclusive: boolean) {
    this.#path = path;
    this.#exclusive = exclusive;
  }

  /**
   * The file with its lock; undefined while somebody else's keeps it away.
   * @throws what the system says where flock does not work
   */
  async try(): Promise<Deno.FsFile | undefined> {
    this.#file ??= Deno.openSync(this.#path, { read: true, write: true });
    const { tryLockSync } = this.#file as TryLockable;
    const isMine = tryLockSync === undefined
      ? await this.#wait(this.#file)
      : tryLockSync.call(this.#file, this.#exclusive);
    return isMine ? this.#handOver() : undefined;
  }

  [Symbol.dispose](): void {
    if (this.#file === undefined) return;
    this.#abandoned = true;
    if (this.#isFree) this.#file.close();
  }

  /** No wait of the runtime's is under way. */
  get #isFree(): boolean {
    return this.#outcome !== undefined || !this.#waiting;
  }

  #waiting = false;

  #handOver(): Deno.FsFile | undefined {
    const file = this.#file;
    this.#file = undefined;
    return file;
  }

  async #wait(file: Deno.FsFile): Promise<boolean> {
    if (!this.#waiting) this.#begin(file);
    for (let waited = 0; this.#outcome === undefined && waited < PROBE_MS; waited += PROBE_STEP_MS) {
      await new Promise((resolve) => setTimeout(resolve, PROBE_STEP_MS));
    }
    if (this.#outcome === undefined) return false;
    if ("error" in this.#outcome) throw this.#outcome.error;
    return true;
  }

  #begin(file: Deno.FsFile): void {
    this.#waiting = true;
    const end = (outcome: { readonly error?: unknown }) => {
      this.#outcome = outcome;
      if (this.#abandoned) file.close();
    };
    file.lock(this.#exclusive).then(() => end({}), (error) => end({ error }));
  }
}
