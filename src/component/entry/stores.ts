/** The stores that a command on entries works with: the workspace's own, and a remote one that may be away. */
import * as os from "node:os";
import { messageOf, RollbackError, UsageError } from "#/core/errors.ts";
import { parseLocation } from "#/storage/location.ts";
import { isAway, openReachableStore, whyAway } from "#/store/fallback.ts";
import { openSnapshotStore } from "#/store/open.ts";
import type { StoreOptions } from "#/store/options.ts";
import type { SnapshotStore } from "#/store/store.ts";

/** What every operation on entries is told. */
export interface EntryOptions {
  /** The meta repository's root, or the working folder; absolute. */
  readonly folder: string;
  readonly store: StoreOptions;
  /** A store that is shared: a folder, `s3://…` or `gs://…`. */
  readonly remote?: string | undefined;
  readonly env: (name: string) => string | undefined;
  readonly by?: string | undefined;
  readonly now?: () => Date;
  readonly signal?: AbortSignal | undefined;
  /** Told once for each thing that people should know. */
  readonly onWarning: (message: string) => void;
  readonly onWait?: (holders: readonly string[]) => void;
}

/** Who acts, for others to read. */
export function actor({ by }: Pick<EntryOptions, "by">): string {
  if (by !== undefined) return by;
  try {
    return os.userInfo().username;
  } catch {
    return "unknown"; // a container's user often has no name
  }
}

export interface EntryStores {
  readonly local: SnapshotStore;
  /** Does something with the remote store; undefined where none was given or nothing is heard of it, which is said once. */
  readonly remote: <T>(work: (store: SnapshotStore) => Promise<T>) => Promise<T | undefined>;
  /** Why nothing is heard of the remote store; undefined as long as all is well. */
  readonly away: () => string | undefined;
}

/** Opens what is asked for, and closes it. */
export async function withStores<T>(
  options: EntryOptions,
  work: (stores: EntryStores) => Promise<T>,
): Promise<T> {
  const { env, signal, onWait, onWarning } = options;
  assertRemote(options.remote);
  const common = { env, signal, by: actor(options), ...(onWait === undefined ? {} : { onWait }) };
  const { store: local, warning } = await openReachableStore({ ...options.store, ...common });
  if (warning !== undefined) onWarning(warning);
  const remote = new Remote(options);
  try {
    return await work({ local, remote: (inner) => remote.use(inner), away: () => remote.away });
  } finally {
    await remote[Symbol.asyncDispose]();
    await local[Symbol.asyncDispose]();
  }
}

/** Before anything is noted for it: what is noted stays on the disk. @throws {UsageError} */
function assertRemote(remote: string | undefined): void {
  if (remote === undefined) return;
  if (/^[^/]*:\/\/[^/]*@/.test(remote)) {
    throw new UsageError("Cannot use the remote store that was given: its location has credentials in it", {
      hint: "Write s3://bucket/prefix; keys come from the environment or from the profile.",
    });
  }
  parseLocation(remote);
}

class Remote implements AsyncDisposable {
  readonly #options: EntryOptions;
  #store: SnapshotStore | undefined;
  away: string | undefined;

  constructor(options: EntryOptions) {
    this.#options = options;
  }

  async use<T>(work: (store: SnapshotStore) => Promise<T>): Promise<T | undefined> {
    try {
      const store = await this.#open();
      return store === undefined ? undefined : await work(store);
    } catch (error) {
      if (!isAway(error)) throw error;
      this.#say(messageOf(error));
      return undefined;
    }
  }

  async #open(): Promise<SnapshotStore | undefined> {
    const { remote: location, store, env, signal } = this.#options;
    if (this.#store !== undefined) return this.#store;
    if (location === undefined || this.away !== undefined) return undefined;
    const why = await whyAway(location, signal);
    if (why !== undefined) {
      this.#say(why);
      return undefined;
    }
    const { fallback: _own, ...rest } = store;
    return this.#store = await openSnapshotStore({
      ...rest,
      location,
      env,
      signal,
      by: actor(this.#options),
    });
  }

  #say(why: string): void {
    if (this.away !== undefined) return;
    this.away = why;
    const { remote } = this.#options;
    this.#options.onWarning(
      `The remote store ${remote} cannot be reached, so this machine's own is used: ${why}. What it lacks is ` +
        `sent by the next command that reaches it, or by \`backout store sync --remote ${remote}\`.`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#store?.[Symbol.asyncDispose]();
    } catch (error) {
      if (!(error instanceof RollbackError)) throw error; // it is away; that was said
    }
  }
}
