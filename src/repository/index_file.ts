/** Reading and writing `index.json`. What it names is not trusted; what it holds beside is kept. */
import { sha256Hex } from "#/core/sha256.ts";
import { RollbackIndexError, StorageError } from "#/core/errors.ts";
import { formatJson, isJsonObject, parseJson } from "#/core/json.ts";
import { artifactPathProblem, quoteShort } from "#/core/safe_path.ts";
import { INDEX_SCHEMA_VERSION, type RepositoryIndex } from "#/repository/index_format.ts";
import type { ObjectReader, ObjectStat, StoredBytes } from "#/storage/object_store.ts";

export const INDEX_KEY = "index.json";
export const INDEX_MARKDOWN_KEY = "index.md";

/**
 * The index is read, changed and written whole by every operation, three copies in memory at once; beyond this
 * it should be split into several repositories. 64 MiB is about 100,000 releases of ten artifacts.
 */
export const MAX_INDEX_BYTES = 64 * 1024 * 1024;

export interface LoadedIndex {
  readonly index: RepositoryIndex;
  /** The tag to replace it by, null when there is no index yet. */
  readonly tag: string | null;
  /** Digest of its bytes, null when there is no index yet. */
  readonly sha256: string | null;
}

export const EMPTY_INDEX: RepositoryIndex = { schema_version: INDEX_SCHEMA_VERSION, serial: 0, releases: [] };

/** @throws {RollbackIndexError} when the index cannot be read or understood */
export async function loadIndex(store: ObjectReader): Promise<LoadedIndex> {
  if (!store.capabilities.remote) await refuseOddIndex(store);
  const stored = await readIndex(store);
  if (stored === undefined) return { index: EMPTY_INDEX, tag: null, sha256: null };
  return { index: parseIndex(stored.bytes), tag: stored.tag, sha256: sha256Hex(stored.bytes) };
}

async function refuseOddIndex(store: ObjectReader): Promise<void> {
  const stat = await store.stat(INDEX_KEY);
  if (stat === undefined) return;
  if (stat.kind !== "file") throw indexError(`it is a ${kindName(stat.kind)}, not a file`);
  if (stat.size > MAX_INDEX_BYTES) throw tooLarge(stat.size);
}

function tooLarge(size: number): RollbackIndexError {
  const mib = Math.ceil(size / 1024 / 1024);
  return indexError(
    `it is ${mib} MiB large and the limit is 64 MiB, because every operation reads and writes it whole`,
    "Split the repository, or remove entries that are no longer needed.",
  );
}

/** Where a look before would cost a request, the reading itself is refused. */
async function readIndex(store: ObjectReader): Promise<StoredBytes | undefined> {
  try {
    return await store.read(INDEX_KEY, { maxBytes: MAX_INDEX_BYTES });
  } catch (error) {
    if (!(error instanceof StorageError) || error.context.failure !== "too_large") throw error;
    throw tooLarge((await store.stat(INDEX_KEY))?.size ?? MAX_INDEX_BYTES);
  }
}

function kindName(kind: ObjectStat["kind"]): string {
  return kind === "other" ? "device, socket or FIFO" : kind;
}

/** @throws {RollbackIndexError} */
export function parseIndex(bytes: Uint8Array): RepositoryIndex {
  if (bytes.length === 0) throw indexError("it is empty");
  const value = parse(bytes);
  if (!isJsonObject(value)) throw indexError("it is not a JSON object");
  checkReleases(value.releases);
  checkList(value.rolled_back, "rolled_back");
  for (const name of ["channels", "backup_pins", "holds"] as const) {
    const part = value[name];
    if (part === undefined) continue;
    if (!isJsonObject(part) || !Object.values(part).every(isJsonObject)) {
      throw indexError(`its ${name} is not an object of objects`);
    }
  }
  for (const [name, channel] of Object.entries(value.channels ?? {})) {
    if (typeof (channel as { version?: unknown }).version !== "string") {
      throw indexError(`its channel ${quoteShort(name)} names no version`);
    }
  }
  if (value.serial !== undefined && !isSerial(value.serial)) {
    throw indexError("its serial is not a whole number");
  }
  return value as unknown as RepositoryIndex;
}

function parse(bytes: Uint8Array): unknown {
  try {
    return parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    const detail = cause instanceof SyntaxError ? cause.message : "it is not UTF-8 text";
    throw indexError(`it is not JSON (${detail})`, undefined, cause);
  }
}

function checkReleases(releases: unknown): void {
  if (!Array.isArray(releases)) throw indexError("it has no list of releases");
  for (const [i, entry] of releases.entries()) {
    if (!isJsonObject(entry) || typeof entry.version !== "string") {
      throw indexError(`its release number ${i + 1} has no version`);
    }
    const { artifacts, depends_on } = entry;
    if (!isTextList(artifacts)) {
      throw indexError(`release ${quoteShort(entry.version)} has no list of artifact paths`);
    }
    if (depends_on !== undefined && !isTextList(depends_on)) {
      throw indexError(
        `release ${quoteShort(entry.version)} has a depends_on that is not a list of versions`,
      );
    }
  }
}

function checkList(list: unknown, name: string): void {
  if (list === undefined) return;
  const good = Array.isArray(list) &&
    list.every((item) => isJsonObject(item) && typeof item.version === "string");
  if (!good) throw indexError(`its ${name} is not a list of versions`);
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function isSerial(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function indexError(what: string, hint?: string, cause?: unknown): RollbackIndexError {
  return new RollbackIndexError(`Cannot use index.json: ${what}`, {
    hint: hint ?? "Nothing was touched. Put a good copy of index.json back, then run the command again.",
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What is wrong with an index that can be read: one sentence each. Pure. */
export function indexProblems(index: RepositoryIndex): readonly string[] {
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const entry of index.releases) {
    if (seen.has(entry.version)) problems.push(`${quoteShort(entry.version)} is listed twice`);
    seen.add(entry.version);
    const bad = entry.artifacts.find((path) => artifactPathProblem(path) !== undefined);
    if (bad !== undefined) {
      problems.push(
        `${quoteShort(entry.version)} lists ${quoteShort(bad)}, which is unsafe: ${artifactPathProblem(bad)}`,
      );
    }
  }
  for (const tombstone of index.rolled_back ?? []) {
    if (seen.has(tombstone.version)) {
      problems.push(`${quoteShort(tombstone.version)} is listed both as a release and as rolled back`);
    }
  }
  const total = index.total_releases;
  if (total !== undefined && total !== index.releases.length) {
    problems.push(`total_releases says ${total}, but ${index.releases.length} are listed`);
  }
  return problems;
}

export interface IndexStamp {
  readonly operation: string;
  /** RFC 3339. */
  readonly at: string;
  readonly serial: number;
  readonly auditHead: { readonly seq: number; readonly sha256: string } | undefined;
}

/** The index as an operation writes it: with its serial, time and id. Pure. */
export function stampIndex(index: RepositoryIndex, stamp: IndexStamp): RepositoryIndex {
  const { releases, channels, rolled_back, backup_pins, ...rest } = index;
  return {
    ...rest,
    schema_version: index.schema_version ?? INDEX_SCHEMA_VERSION,
    serial: stamp.serial,
    last_updated: stamp.at,
    last_operation: stamp.operation,
    total_releases: releases.length,
    ...(stamp.auditHead === undefined ? {} : { audit_head: stamp.auditHead }),
    releases,
    ...(channels === undefined ? {} : { channels }),
    ...(rolled_back === undefined ? {} : { rolled_back }),
    ...(backup_pins === undefined ? {} : { backup_pins }),
  };
}

export function encodeIndex(index: RepositoryIndex): Uint8Array {
  return new TextEncoder().encode(formatJson(index));
}
