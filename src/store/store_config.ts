/** `config.json`: what a store is. Written once, when the store is made. */
import { IntegrityError, StorageError } from "#/core/errors.ts";
import { formatJson, isJsonObject, type JsonObject } from "#/core/json.ts";
import { ConflictError } from "#/storage/object_store.ts";
import type { StoreBackend } from "./backend.ts";
import { CHUNKER_DESCRIPTOR } from "./chunker.ts";
import type { EncryptionDescriptor } from "./cipher.ts";
import {
  CONFIG_FILE,
  newFileId,
  PACK_FOLDER,
  packIdOf,
  SNAPSHOT_FOLDER,
  snapshotIdOf,
  STORE_FORMAT,
} from "./layout.ts";

export interface StoreConfig {
  readonly format: typeof STORE_FORMAT;
  /** 32 hex digits, random: tells stores apart. */
  readonly id: string;
  /** RFC 3339 in UTC. */
  readonly created_at: string;
  readonly chunker: JsonObject;
  readonly encryption: EncryptionDescriptor;
}

/** Undefined when there is no store yet. @throws {IntegrityError} {@link StorageError} a newer format */
export async function readStoreConfig(backend: StoreBackend): Promise<StoreConfig | undefined> {
  const bytes = await backend.read(CONFIG_FILE) ?? await readAgainIfLost(backend);
  if (bytes === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw damagedConfig(backend, "it is not JSON", cause);
  }
  if (!isJsonObject(value) || typeof value.format !== "number") {
    throw damagedConfig(backend, "it names no format");
  }
  if (value.format !== STORE_FORMAT) throw unknownFormat(backend, value.format);
  const { id, chunker, encryption } = value;
  if (typeof id !== "string" || !/^[0-9a-f]{32}$/.test(id)) throw damagedConfig(backend, "it has no id");
  if (!isJsonObject(encryption) || typeof encryption.kind !== "string") {
    throw damagedConfig(backend, "it does not say whether the store is encrypted");
  }
  if (!isJsonObject(chunker) || chunker.kind !== CHUNKER_DESCRIPTOR.kind) {
    throw unknownFormat(backend, `chunker ${JSON.stringify(chunker)}`);
  }
  return value as unknown as StoreConfig;
}

/**
 * Where snapshots lie without it, it was lost: the store must not read as empty, nor be begun anew with another key.
 * Whoever has made the store since is found by the second look.
 */
async function readAgainIfLost(backend: StoreBackend): Promise<Uint8Array | undefined> {
  if (!await holdsAnything(backend)) return undefined;
  const bytes = await backend.read(CONFIG_FILE);
  if (bytes === undefined) throw damagedConfig(backend, "it is missing, but there are snapshots or data");
  return bytes;
}

async function holdsAnything(backend: StoreBackend): Promise<boolean> {
  for await (const { name } of backend.list(SNAPSHOT_FOLDER)) {
    if (snapshotIdOf(name) !== undefined) return true;
  }
  for await (const { name } of backend.list(PACK_FOLDER)) {
    if (packIdOf(name) !== undefined) return true;
  }
  return false;
}

/** The configuration of a new store; when somebody else made it at the same moment, theirs. */
export async function createStoreConfig(
  backend: StoreBackend,
  encryption: EncryptionDescriptor,
): Promise<StoreConfig> {
  const config: StoreConfig = {
    ...{ format: STORE_FORMAT, id: newFileId(), created_at: new Date().toISOString() },
    ...{ chunker: { ...CHUNKER_DESCRIPTOR }, encryption },
  };
  try {
    await backend.create(CONFIG_FILE, new TextEncoder().encode(formatJson(config)));
    return config;
  } catch (error) {
    const theirs = error instanceof ConflictError ? await readStoreConfig(backend) : undefined;
    if (theirs === undefined) throw error;
    return theirs;
  }
}

function unknownFormat(backend: StoreBackend, format: unknown): StorageError {
  return new StorageError(
    `Cannot use the snapshot store ${backend.location}: it has format ${
      String(format)
    }, and this version of backout ` +
      `knows ${STORE_FORMAT}`,
    { hint: "Use the version of backout that made it, or a newer one." },
  );
}

function damagedConfig(backend: StoreBackend, state: string, cause?: unknown): IntegrityError {
  return new IntegrityError(`The snapshot store ${backend.location} is damaged: ${CONFIG_FILE}: ${state}`, {
    hint: "Put the file back from a copy of the store. Nothing was changed.",
    context: { store: backend.location, file: CONFIG_FILE },
    ...(cause === undefined ? {} : { cause }),
  });
}
