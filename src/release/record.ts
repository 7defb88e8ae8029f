/** Record: history and audit for every outcome. */
import { sha256Hex } from "#/core/sha256.ts";
import { appendAudit, findHead } from "#/audit/chain.ts";
import type { AuditPosition } from "#/audit/entry.ts";
import type { Signer } from "#/audit/sign.ts";
import { messageOf } from "#/core/errors.ts";
import { formatJson } from "#/core/json.ts";
import { type HistoryRecord, writeHistory } from "#/operation/history.ts";
import type { Journal } from "#/operation/journal.ts";
import type { OperationReport, SnapshotOutcome } from "#/report/model.ts";
import { changesOf } from "#/step/repository_step.ts";
import type { ObjectStore } from "#/storage/object_store.ts";

export interface RecordInput {
  /** The operation's id; a dry run and a refusal get one of their own for the history. */
  readonly id: string;
  readonly report: OperationReport;
  /** Undefined where nothing was committed. */
  readonly journal: Journal | undefined;
  readonly finishedAt: string;
  /** The head of the audit log that the index names. */
  readonly auditHint: AuditPosition | undefined;
  readonly signer: Signer | undefined;
  readonly machineId: string;
  /** True in a recovery: the operation may have been recorded before it was interrupted. */
  readonly again: boolean;
}

export interface RecordResult {
  /** The audit entry is there. */
  readonly created: boolean;
  /** Audit and history are both there: nothing is lost with the journal. */
  readonly complete: boolean;
  readonly signed: boolean;
  readonly warnings: readonly string[];
}

/** Where the audit log stands, for the index that is about to be written. */
export async function auditHead(
  store: ObjectStore,
  hint: AuditPosition | undefined,
): Promise<AuditPosition | undefined> {
  const head = await findHead(store, hint);
  return head === undefined ? undefined : { seq: head.seq, sha256: head.sha256 };
}

/** Writes the audit entry and the history record, once per id. What cannot be written is a warning, not a failure. */
export async function record(store: ObjectStore, input: RecordInput): Promise<RecordResult> {
  const warnings: string[] = [];
  const entry = await tryAppend(store, input, warnings);
  const audit = entry === undefined ? null : { seq: entry.seq, sha256: entry.sha256 };
  let complete = entry !== undefined;
  try {
    await writeHistory(store, historyRecord(input, audit));
  } catch (error) {
    complete = false;
    warnings.push(`The history could not be written: ${messageOf(error)}`);
  }
  return { created: entry !== undefined, complete, signed: entry?.signed ?? false, warnings };
}

async function tryAppend(
  store: ObjectStore,
  input: RecordInput,
  warnings: string[],
): Promise<Awaited<ReturnType<typeof appendAudit>> | undefined> {
  const { report } = input;
  try {
    warnings.push(...input.signer?.warnings ?? []);
    const appended = await appendAudit(store, auditBody(input), {
      onlyOnce: input.again,
      ...(input.auditHint === undefined ? {} : { hint: input.auditHint }),
      ...(input.signer === undefined ? {} : { signer: input.signer }),
    });
    warnings.push(...appended.warnings);
    return appended;
  } catch (error) {
    const what = report.dry_run ? "This dry run" : "This operation";
    warnings.push(`${what} is not in the audit log: ${messageOf(error)}`);
    return undefined;
  }
}

function auditBody({ id, report, machineId }: RecordInput): Parameters<typeof appendAudit>[1] {
  return {
    audit_id: crypto.randomUUID(),
    operation_id: id,
    timestamp: report.timestamp,
    machine_id: machineId,
    host: report.host,
    by: report.by,
    operation: report.operation,
    version: report.version,
    versions: report.versions,
    rollback_type: report.rollback_type,
    dry_run: report.dry_run,
    status: report.status,
    exit_code: report.exit_code,
    reason: report.reason,
    policy_mode: report.policy_mode,
    forced: report.forced,
    serial_before: report.serial_before,
    serial_after: report.serial_after,
    backup_skipped: report.operation === "rollback" && report.index_updated && !report.backup_created,
    report_sha256: sha256Hex(formatJson(report)),
    index_sha256: report.index_updated ? report.index_sha256_after ?? null : null,
    errors: report.errors,
    warnings: report.warnings,
  };
}

/** The lists of changes would make the history as large as the targets. */
function withoutChanges(snapshot: SnapshotOutcome): SnapshotOutcome {
  return { ...snapshot, targets: snapshot.targets.map((target) => ({ ...target, changes: [] })) };
}

function historyRecord(input: RecordInput, audit: HistoryRecord["audit"]): HistoryRecord {
  const { id, report, journal } = input;
  return {
    format: 1,
    id,
    operation: report.operation,
    status: report.status,
    exit_code: report.exit_code,
    started_at: report.timestamp,
    finished_at: input.finishedAt,
    versions: report.versions,
    rollback_type: report.rollback_type,
    by: report.by,
    host: report.host,
    reason: report.reason,
    summary: report.summary,
    serial_before: report.serial_before,
    serial_after: report.serial_after,
    dry_run: report.dry_run,
    policy_mode: report.policy_mode,
    forced: report.forced,
    warnings: report.warnings,
    errors: report.errors,
    backups: report.backup.map((backup) => backup.id),
    changes: report.index_updated && journal !== undefined ? changesOf(journal.steps) : [],
    undo: report.index_updated ? journal?.index.undo ?? [] : [],
    ...(report.snapshot === undefined ? {} : { snapshot: withoutChanges(report.snapshot) }),
    audit,
  };
}
