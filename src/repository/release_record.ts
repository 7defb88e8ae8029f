/** `.backout/releases/<version>.json`: the immutable list of a release's files and digests. */
import { sha256Hex } from "#/core/sha256.ts";
import { RollbackManifestError } from "#/core/errors.ts";
import type { ReleaseHooks } from "#/core/hook.ts";
import { formatJson, isJsonObject } from "#/core/json.ts";
import { artifactPathProblem } from "#/core/safe_path.ts";
import type { FileRecord, ReleaseEntry, ReleaseRecord } from "#/repository/index_format.ts";
import type { ObjectReader } from "#/storage/object_store.ts";

export const MAX_RECORD_BYTES = 256 * 1024 * 1024;

export function recordKey(version: string): string {
  return `.backout/releases/${version}.json`;
}

/** Where the signature of a release's record is; only records with hooks have one. */
export function recordSignatureKey(version: string): string {
  return `.backout/release-signatures/${version}.json`;
}

/** Digest of a release: of the sorted lines `<sha256>  <path>`. */
export function releaseDigest(files: readonly FileRecord[]): string {
  const lines = files.map((file) => `${file.sha256}  ${file.path}\n`).sort();
  return sha256Hex(lines.join(""));
}

export function makeRecord(
  version: string,
  at: string,
  files: readonly FileRecord[],
  hooks?: ReleaseHooks,
): ReleaseRecord {
  const record = { format: 1, version, published_at: at, sha256: releaseDigest(files), files } as const;
  return hooks === undefined ? record : { ...record, hooks };
}

export function encodeRecord(record: ReleaseRecord): Uint8Array {
  return new TextEncoder().encode(formatJson(record));
}

/**
 * The record of a release; undefined when it has none (published by T.A.R.S.).
 * @throws {RollbackManifestError} when it is missing, damaged or not the one that the index names
 */
export async function loadRecord(
  store: ObjectReader,
  entry: ReleaseEntry,
): Promise<ReleaseRecord | undefined> {
  if (entry.record_sha256 === undefined) return undefined;
  const key = recordKey(entry.version);
  const stored = await store.read(key, { maxBytes: MAX_RECORD_BYTES });
  if (stored === undefined) throw recordError(entry.version, "it is missing");
  if (sha256Hex(stored.bytes) !== entry.record_sha256) {
    throw recordError(entry.version, "its digest is not the one in the index");
  }
  const value: unknown = JSON.parse(new TextDecoder().decode(stored.bytes));
  if (!isJsonObject(value) || !Array.isArray(value.files) || !value.files.every(isFileRecord)) {
    throw recordError(entry.version, "it is not a release record");
  }
  return value as unknown as ReleaseRecord;
}

/** True for a file record whose path is safe. */
export function isFileRecord(value: unknown): value is FileRecord {
  if (!isJsonObject(value)) return false;
  return artifactPathProblem(value.path) === undefined && isSize(value.size) && isDigest(value.sha256) &&
    typeof value.mode === "number";
}

export function isDigest(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}

export function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function recordError(version: string, what: string): RollbackManifestError {
  return new RollbackManifestError(`Cannot use the release record of ${version}: ${what}`, {
    hint:
      "Roll back with --policy lenient, or with --force and --reason, to go on without the record's digests.",
    context: { version, key: recordKey(version) },
  });
}
