/**
 * Checking the audit log: every entry, the chain between them, their signatures, and what the index and the history
 * say must be in it.
 */
import type { ObjectReader } from "#/storage/object_store.ts";
import type { AuditVerifyResult } from "#/repository/views.ts";
import { archiveKey, type EntryRange } from "#/core/audit_key.ts";
import { sha256Hex } from "#/core/sha256.ts";
import {
  AUDIT_FOLDER,
  type AuditEntry,
  type AuditPosition,
  decodeEntry,
  entryFileName,
  entryKey,
  isAuditPosition,
  signedBytes,
} from "./entry.ts";
import { KeyRing, type SignatureState } from "./key_ring.ts";
import { type FoundEntry, listLog, type LogPart, readEntryFile, readLog } from "./log.ts";
import { loadVerifiers, type Verifier } from "./sign.ts";

/** What a history record says about its audit entry. */
export interface RecordedAudit {
  /** The operation's id. */
  readonly id: string;
  /** Null where none could be written. */
  readonly audit: AuditPosition | null;
}

export interface AuditVerifyRequest {
  readonly store: Pick<ObjectReader, "location" | "stat" | "read" | "listNames">;
  /** Read it before `unfinished`, so that an operation that ends in between is not taken for an unrecorded one. */
  readonly index:
    | { readonly audit_head?: AuditPosition | undefined; readonly last_operation?: string | undefined }
    | undefined;
  readonly history: Iterable<RecordedAudit> | AsyncIterable<RecordedAudit>;
  /** Ids of operations that still have a journal: their entry may not be written yet. */
  readonly unfinished: readonly string[];
  /**
   * One or more public keys that the caller trusts. With it every entry must be covered: signed with one of them, or
   * before an entry that is (which holds the digest of all that came before it).
   */
  readonly publicKeyPem?: string | undefined;
}

/** One sentence per problem; none when the log is whole. */
export type AuditVerification = Omit<AuditVerifyResult, "repository">;

/** A log that is being archived meanwhile is read again; more often than this is somebody's mistake. */
const MAX_READINGS = 3;

/**
 * Verifies the whole log, archives included.
 * @throws {UsageError} when `publicKeyPem` holds no public key
 * @throws {StorageError} when the storage cannot be reached
 */
export async function verifyAuditLog(request: AuditVerifyRequest): Promise<AuditVerification> {
  const trusted = request.publicKeyPem === undefined ? [] : loadVerifiers(request.publicKeyPem);
  const log = await readWhole(request.store, trusted);
  const problems = [...log.problems, ...await log.keys.problems()];
  if (trusted.length > 0) problems.push(...log.coverageProblems());
  problems.push(...await log.indexProblems(request));
  for await (const record of request.history) problems.push(...await log.historyProblems(record));
  const { entries, archived, signed, head } = log;
  return { entries, archived, signed, head, problems };
}

/** An entry that is moved into an archive while the log is read looks lost, so what looks wrong is read again then. */
async function readWhole(
  store: AuditVerifyRequest["store"],
  trusted: readonly Verifier[],
): Promise<LogCheck> {
  for (let reading = 1;; reading++) {
    const files = await listLog(store);
    const log = new LogCheck(store, new KeyRing(store, trusted));
    log.problems.push(...files.others.flatMap(strangerProblem));
    for await (const part of readLog(store, files)) await log.read(part);
    if (log.problems.length === 0 || reading >= MAX_READINGS) return log;
    const { archives } = await listLog(store);
    if (archives.map(archiveKey).join() === files.archives.map(archiveKey).join()) return log;
  }
}

/** What one entry turned out to be. */
interface CheckedEntry {
  readonly seq: number;
  readonly label: string;
  /** Undefined when it could not be read. */
  readonly sha256: string | undefined;
  readonly entry: AuditEntry | undefined;
  readonly signature: SignatureState | "none";
  readonly problems: readonly string[];
}

/** What index and history are compared with. */
interface KnownEntry {
  readonly label: string;
  readonly sha256: string | undefined;
  readonly operationId: string | null;
}

class LogCheck {
  readonly problems: string[] = [];
  signed = 0;
  /** Entries that are in an archive. */
  archived = 0;
  head: AuditPosition | null = null;
  #previous: Pick<CheckedEntry, "seq" | "sha256" | "label"> | undefined;
  #lastCovered = 0;
  readonly #known = new Map<number, KnownEntry>();
  readonly #operations = new Set<string>();
  readonly #unreadable: EntryRange[] = [];

  constructor(readonly store: AuditVerifyRequest["store"], readonly keys: KeyRing) {}

  get entries(): number {
    return this.#known.size;
  }

  async read(part: LogPart): Promise<void> {
    if (part.kind === "unreadable") return this.#noteUnreadable(part.archive, part.problem);
    for (const checked of await Promise.all(part.entries.map((found) => checkEntry(this.keys, found)))) {
      const known = this.#known.get(checked.seq);
      if (known === undefined) this.#add(checked);
      else this.problems.push(...doubleProblems(known, checked));
    }
  }

  #noteUnreadable(archive: EntryRange, problem: string): void {
    this.#unreadable.push(archive);
    this.problems.push(`${archiveKey(archive)} ${problem}`);
  }

  #add(checked: CheckedEntry): void {
    const { seq, label, sha256, entry, signature } = checked;
    this.problems.push(...this.#linkProblems(checked), ...checked.problems);
    this.#previous = checked;
    this.#known.set(seq, { label, sha256, operationId: entry?.operation_id ?? null });
    if (sha256 !== undefined) this.head = { seq, sha256 };
    if (label !== entryKey(seq)) this.archived++;
    if (entry === undefined) return;
    if (entry.operation_id !== null && !entry.dry_run) this.#operations.add(entry.operation_id);
    if (signature !== "none") this.signed++;
    if (signature === "trusted") this.#lastCovered = seq;
  }

  #linkProblems({ seq, label, entry }: CheckedEntry): readonly string[] {
    const previous = this.#previous;
    const before = previous?.seq ?? 0;
    if (seq !== before + 1) {
      const missing = { first: before + 1, last: seq - 1 };
      // The archive that held them was named already.
      if (this.#unreadable.some((range) => range.first <= missing.first && range.last >= missing.last)) {
        return [];
      }
      return [`${fileRange(missing.first, missing.last)} missing: the log was cut`];
    }
    if (entry === undefined) return [];
    if (previous === undefined) {
      return entry.previous_sha256 === null ? [] : [
        `${label} names an entry before it, but it should be the first: what came before was removed`,
      ];
    }
    if (previous.sha256 === undefined || previous.sha256 === entry.previous_sha256) return [];
    return [
      `${label} has another digest for the entry before it than ${previous.label} has: one of the two was changed`,
    ];
  }

  get #lastSeq(): number {
    return this.#previous?.seq ?? 0;
  }

  coverageProblems(): readonly string[] {
    if (this.#lastCovered === this.#lastSeq) return [];
    if (this.#lastCovered === 0) {
      return ["No entry of the audit log is validly signed with the given public key"];
    }
    const range = fileRange(this.#lastCovered + 1, this.#lastSeq);
    return [
      `${range} not signed with the given public key, and no entry after that is: who wrote there is not proved`,
    ];
  }

  async indexProblems(
    { index, unfinished }: Pick<AuditVerifyRequest, "index" | "unfinished">,
  ): Promise<readonly string[]> {
    const problems: string[] = [];
    const head = index?.audit_head;
    if (head !== undefined && !isAuditPosition(head)) {
      problems.push("The index names something as the newest audit entry that cannot be one: it was edited");
    } else if (head !== undefined) {
      const found = await this.#lookUp(head.seq);
      if (this.#isUnreadable(head.seq)) {
        // The archive was named already.
      } else if (found === undefined) {
        problems.push(
          `${entryKey(head.seq)} is missing, and the index names it as the newest entry: the log was cut off`,
        );
      } else if (found.sha256 !== head.sha256) {
        problems.push(
          `${found.label} has another digest than the index has for it: it was changed or replaced`,
        );
      }
    }
    const last = index?.last_operation;
    if (last !== undefined && !this.#operations.has(last) && !unfinished.includes(last)) {
      problems.push(
        `No audit entry records the operation ${last}, which wrote the index: its entry was removed`,
      );
    }
    return problems;
  }

  async historyProblems({ id, audit }: RecordedAudit): Promise<readonly string[]> {
    if (audit === null) return [];
    if (!isAuditPosition(audit)) {
      return [`The history record of ${id} names an audit entry that cannot be one`];
    }
    const found = await this.#lookUp(audit.seq);
    if (this.#isUnreadable(audit.seq)) return [];
    if (found === undefined) {
      return [`${entryKey(audit.seq)} is missing, and the history names it for the operation ${id}`];
    }
    const { label } = found;
    if (found.sha256 !== audit.sha256) {
      return [
        `${label} has another digest than the history has for the operation ${id}: it was changed or replaced`,
      ];
    }
    if (found.operationId === id) return [];
    return [`${label} records another operation than ${id}, for which the history names it`];
  }

  /** An entry that was written since the listing is looked for once more. */
  async #lookUp(seq: number): Promise<KnownEntry | undefined> {
    const known = this.#known.get(seq);
    if (known !== undefined || seq <= this.#lastSeq) return known;
    const { label, sha256, entry } = await checkEntry(this.keys, await readEntryFile(this.store, seq));
    return sha256 === undefined ? undefined : { label, sha256, operationId: entry?.operation_id ?? null };
  }

  /** In an archive that cannot be read, and was named for that. */
  #isUnreadable(seq: number): boolean {
    return !this.#known.has(seq) && this.#unreadable.some(({ first, last }) => first <= seq && seq <= last);
  }
}

async function checkEntry(keys: KeyRing, found: FoundEntry): Promise<CheckedEntry> {
  const { seq, label, bytes } = found;
  const failed = (problem: string, sha256?: string): CheckedEntry => ({
    seq,
    label,
    sha256,
    entry: undefined,
    signature: "none",
    problems: [`${label} ${problem}`],
  });
  if (bytes === undefined) return failed(found.problem ?? "is missing");
  const sha256 = sha256Hex(bytes);
  const decoded = decodeEntry(bytes);
  if ("problem" in decoded) return failed(decoded.problem, sha256);
  const { entry } = decoded;
  const problems: string[] = [];
  if (entry.seq !== seq) {
    problems.push(`${label} holds the entry number ${entry.seq}: it was moved or copied`);
  }
  const signature = entry.signature === undefined
    ? "none"
    : await keys.check(signedBytes(entry), entry.signature);
  if (signature === "bad") {
    problems.push(`${label} has a signature that is not valid: it was changed or forged`);
  }
  return { seq, label, sha256, entry, signature, problems };
}

/** An interrupted archiving leaves entries both in the archive and as files: that is fine while they are the same. */
function doubleProblems(known: KnownEntry, { label, sha256 }: CheckedEntry): readonly string[] {
  if (sha256 === undefined || sha256 === known.sha256) return [];
  return [`${label} differs from ${lowerFirst(known.label)}: one of the two was changed`];
}

function lowerFirst(label: string): string {
  return label.startsWith("The ") ? `the ${label.slice(4)}` : label;
}

/** Names that start with a dot are a driver's unfinished writes. */
function strangerProblem(name: string): readonly string[] {
  if (name === "keys" || name.startsWith(".")) return [];
  return [`${AUDIT_FOLDER}/${name} is not an audit entry of backout`];
}

/** For a sentence that goes on after "is" or "are". */
function fileRange(first: number, last: number): string {
  return first === last
    ? `${entryKey(first)} is`
    : `${entryKey(first)} to ${entryFileName(last)} (${last - first + 1} entries) are`;
}
