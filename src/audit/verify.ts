/**
 * Checking the audit log: every entry, the chain between them, their signatures, and what the index and the history
 * say must be in it.
 */
import type { ObjectReader } from "#/storage/object_store.ts";
import type { AuditVerifyResult } from "#/repository/views.ts";
import {
  AUDIT_FOLDER,
  type AuditEntry,
  type AuditPosition,
  decodeEntry,
  entryFileName,
  entryKey,
  isAuditPosition,
  MAX_ENTRY_BYTES,
  seqOfFileName,
  sha256Of,
  signedBytes,
} from "./entry.ts";
import { KeyRing, readFileOrProblem, type SignatureState } from "./key_ring.ts";
import { loadVerifiers } from "./sign.ts";

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

const BATCH = 32;

/**
 * Verifies the whole log.
 * @throws {UsageError} when `publicKeyPem` holds no public key
 * @throws {StorageError} when the storage cannot be reached
 */
export async function verifyAuditLog(request: AuditVerifyRequest): Promise<AuditVerification> {
  const trusted = request.publicKeyPem === undefined ? [] : loadVerifiers(request.publicKeyPem);
  const names = (await request.store.listNames(AUDIT_FOLDER)).map((name) => name.replace(/\/$/, ""));
  const seqs = names.map(seqOfFileName).filter((seq) => seq !== undefined).sort((a, b) => a - b);
  const log = new LogCheck(request.store, new KeyRing(request.store, trusted));
  await log.readEntries(seqs);
  const problems = [...names.flatMap(strangerProblem), ...log.problems, ...await log.keys.problems()];
  if (trusted.length > 0) problems.push(...log.coverageProblems());
  problems.push(...await log.indexProblems(request));
  for await (const record of request.history) problems.push(...await log.historyProblems(record));
  return { entries: seqs.length, signed: log.signed, head: log.head, problems };
}

/** What the file of one entry turned out to be. */
interface CheckedEntry {
  readonly seq: number;
  /** Undefined when the file could not be read. */
  readonly sha256: string | undefined;
  readonly entry: AuditEntry | undefined;
  readonly signature: SignatureState | "none";
  readonly problems: readonly string[];
}

class LogCheck {
  readonly problems: string[] = [];
  signed = 0;
  head: AuditPosition | null = null;
  #lastSeq = 0;
  #lastCovered = 0;
  /** Digest and operation of each entry, for what index and history say. */
  readonly #known = new Map<
    number,
    { readonly sha256: string | undefined; readonly operationId: string | null }
  >();
  readonly #operations = new Set<string>();

  constructor(readonly store: AuditVerifyRequest["store"], readonly keys: KeyRing) {}

  async readEntries(seqs: readonly number[]): Promise<void> {
    // Archived entries, when there are such, would let the chain begin later: with the digest of the last of them.
    let previous: CheckedEntry | undefined;
    for (let i = 0; i < seqs.length; i += BATCH) {
      const batch = seqs.slice(i, i + BATCH).map((seq) => readEntry(this.store, this.keys, seq));
      for (const checked of await Promise.all(batch)) {
        this.problems.push(...linkProblems(previous, checked), ...checked.problems);
        this.#remember(checked);
        previous = checked;
      }
    }
  }

  #remember({ seq, sha256, entry, signature }: CheckedEntry): void {
    this.#lastSeq = seq;
    this.#known.set(seq, { sha256, operationId: entry?.operation_id ?? null });
    if (sha256 !== undefined) this.head = { seq, sha256 };
    if (entry === undefined) return;
    if (entry.operation_id !== null && !entry.dry_run) this.#operations.add(entry.operation_id);
    if (signature !== "none") this.signed++;
    if (signature === "trusted") this.#lastCovered = seq;
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
      const file = entryKey(head.seq);
      if (found === undefined) {
        problems.push(`${file} is missing, and the index names it as the newest entry: the log was cut off`);
      } else if (found.sha256 !== head.sha256) {
        problems.push(`${file} has another digest than the index has for it: it was changed or replaced`);
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
    const file = entryKey(audit.seq);
    if (found === undefined) return [`${file} is missing, and the history names it for the operation ${id}`];
    if (found.sha256 !== audit.sha256) {
      return [
        `${file} has another digest than the history has for the operation ${id}: it was changed or replaced`,
      ];
    }
    if (found.operationId === id) return [];
    return [`${file} records another operation than ${id}, for which the history names it`];
  }

  /** An entry that was written since the listing is looked for once more. */
  async #lookUp(
    seq: number,
  ): Promise<{ sha256: string | undefined; operationId: string | null } | undefined> {
    const known = this.#known.get(seq);
    if (known !== undefined || seq <= this.#lastSeq) return known;
    const { sha256, entry } = await readEntry(this.store, this.keys, seq);
    return sha256 === undefined ? undefined : { sha256, operationId: entry?.operation_id ?? null };
  }
}

async function readEntry(
  store: AuditVerifyRequest["store"],
  keys: KeyRing,
  seq: number,
): Promise<CheckedEntry> {
  const file = entryKey(seq);
  const failed = (problem: string, sha256?: string): CheckedEntry => ({
    seq,
    sha256,
    entry: undefined,
    signature: "none",
    problems: [`${file} ${problem}`],
  });
  const bytes = await readFileOrProblem(store, file, MAX_ENTRY_BYTES);
  if (typeof bytes === "string") return failed(bytes);
  const sha256 = sha256Of(bytes);
  const decoded = decodeEntry(bytes);
  if ("problem" in decoded) return failed(decoded.problem, sha256);
  const { entry } = decoded;
  const problems: string[] = [];
  if (entry.seq !== seq) problems.push(`${file} holds the entry number ${entry.seq}: it was moved or copied`);
  const signature = entry.signature === undefined
    ? "none"
    : await keys.check(signedBytes(entry), entry.signature);
  if (signature === "bad") {
    problems.push(`${file} has a signature that is not valid: it was changed or forged`);
  }
  return { seq, sha256, entry, signature, problems };
}

function linkProblems(previous: CheckedEntry | undefined, { seq, entry }: CheckedEntry): readonly string[] {
  const before = previous?.seq ?? 0;
  if (seq !== before + 1) return [`${fileRange(before + 1, seq - 1)} missing: the log was cut`];
  if (entry === undefined) return [];
  if (previous === undefined) {
    return entry.previous_sha256 === null ? [] : [
      `${entryKey(seq)} names an entry before it, but it should be the first: what came before was removed`,
    ];
  }
  if (previous.sha256 === undefined || previous.sha256 === entry.previous_sha256) return [];
  return [
    `${entryKey(seq)} has another digest for the entry before it than ${
      entryKey(before)
    } has: one of the two was changed`,
  ];
}

/** Names that start with a dot are a driver's unfinished writes. */
function strangerProblem(name: string): readonly string[] {
  if (name === "keys" || name.startsWith(".") || seqOfFileName(name) !== undefined) return [];
  return [`${AUDIT_FOLDER}/${name} is not an audit entry of backout`];
}

/** For a sentence that goes on after "is" or "are". */
function fileRange(first: number, last: number): string {
  return first === last
    ? `${entryKey(first)} is`
    : `${entryKey(first)} to ${entryFileName(last)} (${last - first + 1} entries) are`;
}
