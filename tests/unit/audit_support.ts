/** An audit log in memory, and entries to put in it. */
import { ConflictError } from "#/storage/object_store.ts";
import type { DigestedObject, ObjectKey, ObjectStat, ObjectStore } from "#/storage/object_store.ts";
import assert from "node:assert/strict";
import { sha256Hex } from "#/core/sha256.ts";
import type { AuditBody, AuditEntry } from "#/audit/entry.ts";
import { type ArchivePlan, type ArchiveRule, planArchive } from "#/audit/plan_archive.ts";
import { type AuditVerifyRequest, verifyAuditLog } from "#/audit/verify.ts";
import { archiveKey } from "#/core/audit_key.ts";
import { formatJson } from "#/core/json.ts";
import { removeArchivedEntries } from "#/operation/archived_entries.ts";
import { appendAudit, type AppendOptions, type AppendResult } from "#/audit/chain.ts";
import { newOperationId } from "#/core/ids.ts";

export type AuditStore = Pick<
  ObjectStore,
  "location" | "stat" | "read" | "create" | "listNames" | "digest" | "removeFiles" | "flush"
>;

/** Only what the audit log uses of a storage; counts the calls. */
export class MemoryStore implements AuditStore {
  readonly location = "memory";
  readonly files = new Map<string, Uint8Array>();
  readonly calls = { stat: 0, read: 0, create: 0, listNames: 0 };
  /** Runs before each create, to let another writer in. */
  beforeCreate: ((key: string) => void) | undefined;

  stat(key: string): ObjectStat | undefined {
    this.calls.stat++;
    const bytes = this.files.get(key);
    if (bytes === undefined) return undefined;
    return { key, kind: "file", size: bytes.length, mode: 0, uid: null, gid: null, mtime: null, tag: "" };
  }
  read(key: string): Promise<{ bytes: Uint8Array; tag: string } | undefined> {
    this.calls.read++;
    const bytes = this.files.get(key);
    return Promise.resolve(bytes === undefined ? undefined : { bytes, tag: "" });
  }
  async create(key: string, bytes: Uint8Array): Promise<void> {
    this.calls.create++;
    await Promise.resolve(); // as a real storage, let others run first
    this.beforeCreate?.(key);
    if (this.files.has(key)) throw new ConflictError(`${key} exists`);
    this.files.set(key, bytes);
  }
  digest(keys: readonly ObjectKey[]): Promise<readonly DigestedObject[]> {
    return Promise.resolve(keys.map((key) => {
      const stat = this.stat(String(key))!;
      return { key: stat.key, size: stat.size, sha256: sha256Hex(this.files.get(stat.key)!), stat };
    }));
  }
  removeFiles(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.files.delete(key);
    return Promise.resolve();
  }
  flush(): Promise<void> {
    return Promise.resolve();
  }
  listNames(prefix: string): Promise<readonly string[]> {
    this.calls.listNames++;
    const below = [...this.files.keys()].filter((key) => key.startsWith(prefix + "/"));
    const names = below.map((key) => key.slice(prefix.length + 1).split("/")[0]!);
    return Promise.resolve([...new Set(names)].sort());
  }
}

/** A copy with the same files. */
export function copyOf(store: MemoryStore): MemoryStore {
  const copy = new MemoryStore();
  for (const [key, bytes] of store.files) copy.files.set(key, bytes);
  return copy;
}

/** Archives as the command does, without its lock and journal. */
export async function archive(store: AuditStore, rule: ArchiveRule): Promise<ArchivePlan> {
  const plan = await planArchive(store, rule);
  for (const { bytes, ...range } of plan.archives) await store.create(archiveKey(range), bytes);
  for (const removal of plan.removals) {
    await removeArchivedEntries(store as ObjectStore, { kind: "remove_audit_entries", ...removal });
  }
  return plan;
}

/** What a successful rollback says of itself, with `changes`. */
export function auditBody(changes: Partial<AuditBody> = {}): AuditBody {
  return {
    audit_id: crypto.randomUUID(),
    operation_id: newOperationId(new Date()),
    timestamp: "2026-03-01T03:00:00.000Z",
    machine_id: "0123456789abcdef",
    host: "build-7",
    by: "ops",
    operation: "rollback",
    version: "v1.0.2",
    versions: ["v1.0.2"],
    rollback_type: "full",
    dry_run: false,
    status: "success",
    exit_code: 0,
    reason: "broken — löst nicht auf",
    policy_mode: "strict",
    forced: false,
    serial_before: 7,
    serial_after: 8,
    backup_skipped: false,
    report_sha256: null,
    errors: [],
    warnings: [],
    ...changes,
  };
}

/** Appends `count` entries, each beginning at the head the one before left. */
export async function fill(
  store: AuditStore,
  count: number,
  options: AppendOptions = {},
): Promise<AppendResult[]> {
  const results: AppendResult[] = [];
  for (let i = 0; i < count; i++) {
    const last = results.at(-1);
    results.push(await appendAudit(store, auditBody(), { hint: last, ...options }));
  }
  return results;
}

/** Runs a program and gives its exit code and what it printed. */
export async function run(
  command: string,
  args: readonly string[],
  cwd?: string,
): Promise<{ code: number; output: string }> {
  const options = cwd === undefined ? {} : { cwd };
  const { code, stdout, stderr } = await new Deno.Command(command, { args: [...args], ...options }).output();
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

export function entryOf(bytes: Uint8Array): AuditEntry {
  return JSON.parse(new TextDecoder().decode(bytes));
}

export function bytesOf(entry: unknown): Uint8Array {
  return new TextEncoder().encode(formatJson(entry));
}

/** What an untouched repository says about its log. */
export function claims(
  store: MemoryStore,
  results: readonly AppendResult[],
): Pick<AuditVerifyRequest, "store" | "index" | "history" | "unfinished"> {
  const history = results.map(({ seq, sha256, bytes }) => ({
    id: entryOf(bytes).operation_id!,
    audit: { seq, sha256 },
  }));
  const { seq, sha256, id } = { ...results.at(-1)!, id: history.at(-1)!.id };
  return { store, index: { audit_head: { seq, sha256 }, last_operation: id }, history, unfinished: [] };
}

export async function problemsOf(request: AuditVerifyRequest): Promise<readonly string[]> {
  return (await verifyAuditLog(request)).problems;
}

/** Some problem says all of these words. */
export function assertFound(problems: readonly string[], ...words: string[]): void {
  assert.ok(
    problems.some((problem) => words.every((word) => problem.includes(word))),
    `none says ${words.join(", ")}: ${JSON.stringify(problems, undefined, 1)}`,
  );
}

/** The archive of `archivedLog`. */
export const FIRST = { first: 1, last: 6 };

/** Ten entries, the first six in an archive. */
export async function archivedLog(): Promise<
  { readonly whole: MemoryStore; readonly store: MemoryStore; readonly results: readonly AppendResult[] }
> {
  const whole = new MemoryStore();
  const results = await fill(whole, 10);
  const store = copyOf(whole);
  await archive(store, { keep: 4 });
  return { whole, store, results };
}

/** The names in the log's folder. */
export function logFiles(store: MemoryStore): readonly string[] {
  return [...store.files.keys()].map((key) => key.split("/").at(-1)!).sort();
}
