/**
 * Appending to the audit log. Entries are numbered without gaps, so the newest one is found by asking for a few
 * numbers, and by listing only where the search begins among archived entries; each is created exclusively, so that
 * two writers cannot take the same place.
 */
import type { EntryRange } from "#/core/audit_key.ts";
import { RollbackError, StorageError } from "#/core/errors.ts";
import { ConflictError, type ObjectStore } from "#/storage/object_store.ts";
import { sha256Hex } from "#/core/sha256.ts";
import {
  type AuditBody,
  type AuditEntry,
  type AuditPosition,
  decodeEntry,
  encodeEntry,
  entryFileName,
  entryKey,
  isAuditPosition,
  MAX_ENTRY_BYTES,
  MAX_SEQ,
  publicKeyKey,
} from "./entry.ts";
import { readArchive } from "./archive.ts";
import { listLog } from "./log.ts";
import type { Signer } from "./sign.ts";

/** What reading the chain needs of a storage. */
export type AuditReader = Pick<ObjectStore, "location" | "stat" | "read" | "listNames">;
/** What appending needs of a storage. */
export type AuditWriter = AuditReader & Pick<ObjectStore, "create">;

export interface AppendOptions {
  readonly signer?: Signer | undefined;
  /** `audit_head` of the index: where to begin looking, and what the entry there must be. */
  readonly hint?: AuditPosition | undefined;
  /** Record nothing when an entry with this `operation_id` is there already. @default false */
  readonly onlyOnce?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface AppendResult extends AuditPosition {
  readonly signed: boolean;
  /** The entry exactly as it is stored. */
  readonly bytes: Uint8Array;
  /** False when `onlyOnce` found the operation recorded already, or a repeated write found its own entry. */
  readonly created: boolean;
  /** Something is wrong with the log: `audit verify` will say what. */
  readonly warnings: readonly string[];
}

/** How often the place may be taken by another writer before we give up. */
const MAX_ATTEMPTS = 100;
/** `findAuditOf` looks at no more than this many of the newest entries. */
const MAX_SCAN = 1_000;
const SCAN_BATCH = 32;

/**
 * Appends an entry, durably.
 *
 * Where the index names a head that is gone or was changed, the new entry still names the digest of the index: so the
 * log cannot be made whole again behind that evidence, and `audit verify` finds it.
 * @throws {StorageError} when the storage refuses, or other writers take the place again and again
 */
export async function appendAudit(
  store: AuditWriter,
  body: AuditBody,
  options: AppendOptions = {},
): Promise<AppendResult> {
  const { signer, signal } = options;
  const { hint, warnings } = usableHint(options.hint);
  if (options.onlyOnce === true && body.operation_id !== null) {
    const found = await findAuditOf(store, body.operation_id, hint);
    if (found !== undefined) return await existing(store, found, warnings);
  }
  if (signer !== undefined) await storePublicKey(store, signer);
  const notes = new Set(warnings);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    if (attempt > 0 && signal?.aborted) break;
    const head = await findHeadFrom(store, hint);
    head?.warnings.forEach((warning) => notes.add(warning));
    const seq = (head?.seq ?? 0) + 1;
    assertRoom(store, seq);
    const bytes = await encodeEntry(body, { seq, previousSha256: head?.sha256 ?? null }, signer);
    assertReadable(bytes);
    const taken = await tryCreate(store, seq, bytes);
    if (taken === undefined) {
      const signed = signer !== undefined;
      return { seq, sha256: sha256Hex(bytes), signed, bytes, created: true, warnings: [...notes] };
    }
    // A write whose reply was lost meets its own entry when it is done again.
    if (decodedOf(taken)?.audit_id === body.audit_id) {
      return await existing(store, { seq, sha256: sha256Hex(taken) }, [...notes]);
    }
  }
  throw new StorageError(
    `Cannot write to the audit log of ${store.location}: other writers are always first`,
    {
      hint: "Try again when fewer operations run at once.",
    },
  );
}

/**
 * The entry that records `operationId`, looked for from the newest entry back to the one of `hint` (an operation's
 * entry is never older than the head in the index it began with), at most 1,000 entries.
 */
export async function findAuditOf(
  store: AuditReader,
  operationId: string,
  hint: AuditPosition | undefined,
): Promise<AuditPosition | undefined> {
  const known = usableHint(hint).hint;
  const { seq: last } = await findLast(store, known?.seq ?? 0);
  const first = Math.max(known?.seq ?? 1, last - MAX_SCAN + 1, 1);
  for (let end = last; end >= first; end -= SCAN_BATCH) {
    const begin = Math.max(first, end - SCAN_BATCH + 1);
    const seqs = Array.from({ length: end - begin + 1 }, (_, i) => end - i);
    const found = await Promise.all(seqs.map((seq) => positionIfOf(store, seq, operationId)));
    const match = found.find((position) => position !== undefined);
    if (match !== undefined) return match;
  }
  return undefined;
}

/** Keeps the public key beside the log, so that entries stay checkable after the key was changed. */
async function storePublicKey(store: AuditWriter, signer: Signer): Promise<void> {
  const key = publicKeyKey(signer.fingerprint);
  if (await store.stat(key) !== undefined) return;
  try {
    await store.create(key, new TextEncoder().encode(signer.publicKeyPem));
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error;
  }
}

/** The newest entry, and what is wrong with it or with the hint. */
export interface AuditHead extends AuditPosition {
  readonly warnings: readonly string[];
}

/**
 * The newest entry, undefined in an empty log. Where the entry that `hint` names is the newest but is gone or was
 * changed, the answer is still what `hint` says of it, with a warning.
 * @param hint `audit_head` of the index
 * @throws {StorageError}
 */
export async function findHead(
  store: AuditReader,
  hint: AuditPosition | undefined,
): Promise<AuditHead | undefined> {
  const usable = usableHint(hint);
  const head = await findHeadFrom(store, usable.hint);
  return head === undefined ? undefined : { ...head, warnings: [...usable.warnings, ...head.warnings] };
}

async function findHeadFrom(
  store: AuditReader,
  hint: AuditPosition | undefined,
): Promise<AuditHead | undefined> {
  const { seq, bytes } = await findLast(store, hint?.seq ?? 0);
  if (seq === 0) return undefined;
  const sha256 = bytes === undefined ? undefined : sha256Hex(bytes);
  if (seq === hint?.seq && sha256 !== hint.sha256) {
    return { ...hint, warnings: [disagreement(seq, sha256 === undefined)] };
  }
  if (sha256 !== undefined) return { seq, sha256, warnings: [] };
  throw new StorageError(`Cannot read the newest audit entry ${entryKey(seq)} of ${store.location}`, {
    hint: "Run `backout audit verify`.",
  });
}

interface LastEntry {
  /** 0 in an empty log. */
  readonly seq: number;
  /** Undefined where no entry with this number is there. */
  readonly bytes: Uint8Array | undefined;
}

/** The entry with the highest number in use from `from` on; `from` itself counts as used. */
async function findLast(store: AuditReader, from: number): Promise<LastEntry> {
  const seq = await gallop(store, from);
  const bytes = await bytesOf(store, seq);
  if (bytes !== undefined || seq !== from) return { seq, bytes };
  // An empty log, or one whose entries from here on are in an archive: the search goes on behind that.
  const archive = (await listLog(store)).archives.at(-1);
  if (archive === undefined || archive.last < from) return { seq, bytes };
  const last = await gallop(store, archive.last);
  return { seq: last, bytes: await bytesOf(store, last) ?? await archivedBytes(store, archive, last) };
}

async function bytesOf(store: AuditReader, seq: number): Promise<Uint8Array | undefined> {
  if (seq === 0) return undefined;
  return (await store.read(entryKey(seq), { maxBytes: MAX_ENTRY_BYTES }))?.bytes;
}

/** Archiving leaves the newest entry where it is; this is for a log from which that was removed. */
async function archivedBytes(
  store: AuditReader,
  archive: EntryRange,
  seq: number,
): Promise<Uint8Array | undefined> {
  const found = await readArchive(store, archive);
  return "problem" in found ? undefined : found.entries[seq - archive.first]?.bytes;
}

/**
 * The highest number of a file from `from` on, by doubling steps and then halving them; `from` itself counts as used.
 * Files are numbered without gaps, so O(log n) questions are enough.
 */
async function gallop(store: AuditReader, from: number): Promise<number> {
  const exists = async (seq: number) => seq <= MAX_SEQ && await store.stat(entryKey(seq)) !== undefined;
  let used = from;
  let step = 1;
  while (await exists(used + step)) {
    used += step;
    step *= 2;
  }
  let free = used + step;
  while (free - used > 1) {
    const middle = used + Math.floor((free - used) / 2);
    if (await exists(middle)) used = middle;
    else free = middle;
  }
  return used;
}

/** Undefined when created; else the bytes that are there. */
async function tryCreate(
  store: AuditWriter,
  seq: number,
  bytes: Uint8Array,
): Promise<Uint8Array | undefined> {
  try {
    await store.create(entryKey(seq), bytes);
    return undefined;
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error;
    return (await store.read(entryKey(seq), { maxBytes: MAX_ENTRY_BYTES }))?.bytes ?? new Uint8Array();
  }
}

async function existing(
  store: AuditReader,
  position: AuditPosition,
  warnings: readonly string[],
): Promise<AppendResult> {
  const bytes = (await store.read(entryKey(position.seq), { maxBytes: MAX_ENTRY_BYTES }))?.bytes ??
    new Uint8Array();
  const signed = decodedOf(bytes)?.signature !== undefined;
  return { ...position, signed, bytes, created: false, warnings };
}

async function positionIfOf(
  store: AuditReader,
  seq: number,
  operationId: string,
): Promise<AuditPosition | undefined> {
  const stored = await store.read(entryKey(seq), { maxBytes: MAX_ENTRY_BYTES });
  if (stored === undefined) return undefined;
  if (decodedOf(stored.bytes)?.operation_id !== operationId) return undefined;
  return { seq, sha256: sha256Hex(stored.bytes) };
}

function decodedOf(bytes: Uint8Array): AuditEntry | undefined {
  const decoded = decodeEntry(bytes);
  return "entry" in decoded ? decoded.entry : undefined;
}

/** An index edited by hand may name anything as the head. */
function usableHint(
  hint: AuditPosition | undefined,
): { readonly hint: AuditPosition | undefined; readonly warnings: readonly string[] } {
  if (hint === undefined) return { hint, warnings: [] };
  if (isAuditPosition(hint) && hint.seq < MAX_SEQ) return { hint, warnings: [] };
  return {
    hint: undefined,
    warnings: ["The index names an audit entry that cannot exist: run `backout audit verify`"],
  };
}

function disagreement(seq: number, missing: boolean): string {
  const what = missing ? "is missing" : "is not the one that the index names";
  return `The audit entry ${entryFileName(seq)} ${what}: run \`backout audit verify\``;
}

function assertRoom(store: AuditReader, seq: number): void {
  if (seq <= MAX_SEQ) return;
  throw new RollbackError(
    `The audit log of ${store.location} is full: it ends at ${entryFileName(MAX_SEQ)}`,
    {
      hint: "Run `backout audit verify`; an index edited by hand can name a head that is far too high.",
    },
  );
}

/** An entry is immutable: one that could not be read back would break the log for ever. */
function assertReadable(bytes: Uint8Array): void {
  const decoded = decodeEntry(bytes);
  if ("problem" in decoded) {
    throw new TypeError(`Cannot record the operation: its audit entry ${decoded.problem}`);
  }
  if (bytes.length <= MAX_ENTRY_BYTES) return;
  throw new RollbackError(
    `The audit entry would have ${bytes.length} bytes, and ${MAX_ENTRY_BYTES} is the most that can be read back`,
    { hint: "Take out fewer releases in one operation." },
  );
}
