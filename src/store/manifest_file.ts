/**
 * `snapshots/<id>.json`: a manifest and a checksum of it. In an encrypted store the manifest is sealed as its file's
 * name, so that none can be made, changed or renamed without the key.
 */
import { sha256Hex } from "#/core/sha256.ts";
import { IntegrityError } from "#/core/errors.ts";
import { formatJson, isJsonObject } from "#/core/json.ts";
import { type ChunkCipher, PLAIN_CIPHER } from "./cipher.ts";
import { snapshotName } from "./layout.ts";
import type { SnapshotManifest } from "./model.ts";

export function encodeManifest(manifest: SnapshotManifest, cipher: ChunkCipher): Uint8Array {
  // As it will be read: raw numbers (`1.0`) become plain ones, so that the checksum fits afterwards.
  const plain = JSON.parse(JSON.stringify(manifest)) as SnapshotManifest;
  const text = JSON.stringify(plain);
  if (isPlain(cipher)) {
    return new TextEncoder().encode(formatJson({ ...plain, checksum: checksumOf(text) }));
  }
  const sealed = cipher.seal(new TextEncoder().encode(text), snapshotName(manifest.id));
  const { format, id } = manifest;
  return new TextEncoder().encode(formatJson({ format, id, sealed: sealed.toBase64() }));
}

/**
 * @param id the one in the file's name
 * @throws {IntegrityError} it was changed, or is another snapshot's
 */
export function decodeManifest(
  bytes: Uint8Array,
  id: string,
  cipher: ChunkCipher,
  location: string,
): SnapshotManifest {
  const fail = (state: string, cause?: unknown): never => {
    throw damagedManifest(location, id, state, cause);
  };
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (!isJsonObject(value)) return fail("it is not an object");
    const manifest = isPlain(cipher) ? checked(value, fail) : unsealed(value, id, cipher, fail);
    if (manifest.id !== id) return fail(`it is the manifest of ${JSON.stringify(manifest.id)}`);
    return manifest;
  } catch (error) {
    if (error instanceof IntegrityError) throw error;
    return fail("it does not open", error);
  }
}

type Fail = (state: string, cause?: unknown) => never;

function checked(value: { readonly [key: string]: unknown }, fail: Fail): SnapshotManifest {
  const { checksum, ...manifest } = value;
  if (manifest.format !== 1) return fail(`it has format ${JSON.stringify(manifest.format)}, not 1`);
  if (checksum !== checksumOf(JSON.stringify(manifest))) return fail("its checksum is wrong: it was changed");
  return manifest as unknown as SnapshotManifest;
}

function unsealed(
  value: { readonly [key: string]: unknown },
  id: string,
  cipher: ChunkCipher,
  fail: Fail,
): SnapshotManifest {
  if (typeof value.sealed !== "string") return fail("it is not sealed, in an encrypted store");
  const sealed = Uint8Array.fromBase64(value.sealed);
  const text = new TextDecoder().decode(cipher.open(sealed, snapshotName(id)));
  const manifest: unknown = JSON.parse(text);
  if (!isJsonObject(manifest) || manifest.format !== 1) return fail("it has another format than 1");
  return manifest as unknown as SnapshotManifest;
}

export function damagedManifest(
  location: string,
  id: string,
  state: string,
  cause?: unknown,
): IntegrityError {
  return new IntegrityError(`The snapshot store ${location} is damaged: ${snapshotName(id)}: ${state}`, {
    hint: "Put the file back from a copy of the store, or delete the snapshot; the others are not affected.",
    context: { store: location, file: snapshotName(id), snapshot: id },
    ...(cause === undefined ? {} : { cause }),
  });
}

function checksumOf(text: string): string {
  return `sha256:${sha256Hex(text)}`;
}

function isPlain(cipher: ChunkCipher): boolean {
  return cipher.descriptor.kind === PLAIN_CIPHER.descriptor.kind;
}
