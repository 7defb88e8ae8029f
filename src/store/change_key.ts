/** Gives an encrypted store another key. Its content stays as it is: only what seals the master key changes. */
import { StorageError, UsageError } from "#/core/errors.ts";
import { formatJson } from "#/core/json.ts";
import { rewrap } from "./encryption.ts";
import { CONFIG_FILE } from "./layout.ts";
import { openBackend } from "./open_backend.ts";
import type { StoreEncryption } from "./options.ts";
import { readStoreConfig } from "./store_config.ts";
import { lockStore } from "./store_lock.ts";

export interface ChangeKeyOptions {
  /** Reads the variable of a passphrase. @default the process's environment */
  readonly env?: (name: string) => string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly by?: string;
  /** How long to wait for others, in milliseconds. @default 0 */
  readonly lockTimeoutMs?: number;
}

/**
 * From now on the store opens with `to`, and with `from` no more.
 * @throws {UsageError} `from` is not its key, or it is not encrypted
 * @throws {LockedError} somebody works on the store
 */
export async function changeStoreKey(
  location: string,
  from: StoreEncryption,
  to: StoreEncryption,
  options: ChangeKeyOptions = {},
): Promise<void> {
  const { signal, by, lockTimeoutMs = 0 } = options;
  const env = options.env ?? ((name) => Deno.env.get(name));
  await using backend = await openBackend(location, { signal });
  if (await readStoreConfig(backend) === undefined) throw noStore(location);
  await using lock = await lockStore(backend, "exclusive", {
    operation: "change the store's key",
    timeoutMs: lockTimeoutMs,
    signal,
    ...(by === undefined ? {} : { by }),
  });
  const config = await readStoreConfig(backend);
  if (config === undefined) throw noStore(location);
  if (config.encryption.kind === "none") {
    throw new UsageError(`The snapshot store ${location} is not encrypted: it has no key to change`, {
      hint:
        "Make an encrypted store at another location and copy the snapshots with `backout snapshot sync`.",
    });
  }
  const encryption = rewrap(config.encryption, from, to, { env, location });
  await lock.assertHeld();
  await backend.replace(CONFIG_FILE, new TextEncoder().encode(formatJson({ ...config, encryption })));
}

function noStore(location: string): StorageError {
  return new StorageError(`There is no snapshot store in ${location}`, { hint: "Check the location." });
}
