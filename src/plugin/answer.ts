/** Answers for other programs, with the fields of the Rollback Manager's plugin. Times are seconds since the epoch. */
import { ExitCode, messageOf, RollbackError } from "#/core/errors.ts";
import type { JsonObject, JsonValue } from "#/core/json.ts";
import type { HistoryRecord } from "#/operation/history.ts";
import type { OperationReport, SnapshotOutcome, TargetOutcome } from "#/report/model.ts";
import type { SavedTarget, SnapshotManifest } from "#/store/model.ts";

/** One answer, and the exit code of its kind. */
export interface PluginAnswer {
  readonly document: JsonObject;
  readonly exitCode: ExitCode;
}

/** `files` of a snapshot: the digest of each, or its content too. */
export type FileFacts = Readonly<Record<string, JsonValue>>;

/** What went wrong before there was a report. */
export function failure(error: unknown, facts: JsonObject = {}): PluginAnswer {
  const known = error instanceof RollbackError;
  return {
    exitCode: known ? error.code : ExitCode.rollback,
    document: {
      status: "failed",
      ...facts,
      error: messageOf(error),
      ...(known && error.hint !== undefined ? { hint: error.hint } : {}),
      kind: known ? error.kind : "internal",
      exit_code: known ? error.code : ExitCode.rollback,
    },
  };
}

export function unixSeconds(at: string): number {
  return Math.floor(Date.parse(at) / 1000);
}

function problemsOf(report: OperationReport): JsonObject {
  const { error, warnings } = report;
  return {
    ...(error === null ? {} : { error: error.message, kind: error.kind }),
    ...(error === null || error.hint === null ? {} : { hint: error.hint }),
    warnings,
    exit_code: report.exit_code,
  };
}

/** What a target was: its own facts, and where its bytes are. */
export function metadataOf(
  target: SavedTarget,
  manifest: SnapshotManifest,
  store: string,
  files?: FileFacts,
): JsonObject {
  const { backup_location, backup_file } = target.config;
  const place = backup_location ?? backup_file ?? store;
  return {
    method: target.method,
    ...target.metadata,
    ...(files === undefined ? {} : { files }),
    backup_location: place,
    created_at: unixSeconds(manifest.created_at),
    fingerprint: target.fingerprint,
    total_files: target.files,
    size_bytes: target.bytes,
    stored_bytes: target.stored_bytes,
  };
}

/** The types of a snapshot: one, or several joined by a comma. */
export function typeOf(targets: readonly { readonly type: string }[]): string {
  return [...new Set(targets.map(({ type }) => type))].join(",");
}

/** A snapshot as the Rollback Manager's metadata file has it. */
export function snapshotDocument(
  manifest: SnapshotManifest,
  store: string,
  files: ReadonlyMap<string, FileFacts> = new Map(),
): JsonObject {
  const all = manifest.targets.map((target) => metadataOf(target, manifest, store, files.get(target.name)));
  const [first] = manifest.targets;
  const single = manifest.targets.length === 1;
  return {
    id: manifest.id,
    snapshot_id: manifest.id,
    type: typeOf(manifest.targets),
    created_at: unixSeconds(manifest.created_at),
    config: single ? first!.config : byName(manifest.targets, (target) => target.config),
    status: "created",
    metadata: single ? all[0]! : byName(manifest.targets, (_target, i) => all[i]!),
    description: manifest.description,
    origin: manifest.origin,
    pinned: manifest.pinned,
    mark: manifest.mark,
  };
}

function byName(
  targets: readonly SavedTarget[],
  value: (target: SavedTarget, index: number) => JsonObject,
): JsonObject {
  return Object.fromEntries(targets.map((target, i) => [target.name, value(target, i)]));
}

/** The answer to `create_snapshot`. */
export function createAnswer(
  report: OperationReport,
  manifest: SnapshotManifest | undefined,
  store: string,
  files: ReadonlyMap<string, FileFacts>,
): PluginAnswer {
  const done = report.status === "success" || report.status === "partial";
  const targets = report.snapshot?.targets ?? [];
  const saved = manifest === undefined ? undefined : snapshotDocument(manifest, store, files);
  return {
    exitCode: report.exit_code,
    document: {
      status: done ? "success" : report.status === "dry_run" && report.error === null ? "dry_run" : "failed",
      snapshot_id: report.version,
      type: typeOf(targets),
      ...(saved === undefined ? {} : { created_at: saved.created_at, metadata: saved.metadata }),
      operation_id: report.rollback_id,
      duration: report.rollback_duration_seconds,
      ...problemsOf(report),
    },
  };
}

type Status = "completed" | "failed" | "partial" | "dry_run";

function rollbackStatus(report: Pick<OperationReport, "status" | "error">): Status {
  switch (report.status) {
    case "success":
      return "completed";
    case "partial":
      return "partial";
    case "failed":
      return "failed";
    case "dry_run":
      return report.error === null ? "dry_run" : "failed";
    default:
      return report.status satisfies never;
  }
}

/**
 * The answer to `execute_rollback`.
 * @param tests what was asked to be checked: its own fields stand in the results
 */
export function rollbackAnswer(report: OperationReport, tests: readonly JsonValue[]): PluginAnswer {
  const started = Date.parse(report.timestamp);
  const completed = started + report.rollback_duration_seconds * 1000;
  const at = Math.floor(completed / 1000);
  const { snapshot } = report;
  const confirmBy = snapshot?.confirm_by ?? null;
  return {
    exitCode: report.exit_code,
    document: {
      status: rollbackStatus(report),
      rollback_id: report.rollback_id,
      snapshot_id: snapshot?.id ?? report.version,
      started_at: Math.floor(started / 1000),
      completed_at: at,
      duration: report.rollback_duration_seconds,
      technical_details: technicalDetails(snapshot, at),
      execution_result: executionResult(rollbackStatus(report), snapshot),
      verification_results: verificationResults(snapshot, tests),
      safety_snapshot_id: snapshot?.safety_id ?? null,
      ...(confirmBy === null ? {} : { confirm_by: unixSeconds(confirmBy) }),
      undo: report.undo,
      ...(report.dry_run ? { planned_changes: plannedChanges(snapshot) } : {}),
      ...problemsOf(report),
    },
  };
}

/** One entry of the history. */
export function historyDocument(record: HistoryRecord): JsonObject {
  const { snapshot } = record;
  const at = unixSeconds(record.finished_at);
  const status = rollbackStatus({ status: record.status as OperationReport["status"], error: null });
  return {
    rollback_id: record.id,
    snapshot_id: snapshot?.id ?? record.versions[0] ?? "",
    status,
    started_at: unixSeconds(record.started_at),
    completed_at: at,
    duration: Math.max(0, Date.parse(record.finished_at) - Date.parse(record.started_at)) / 1000,
    technical_details: technicalDetails(snapshot, at),
    execution_result: executionResult(status, snapshot),
    verification_results: verificationResults(snapshot, []),
    safety_snapshot_id: snapshot?.safety_id ?? null,
    exit_code: record.exit_code,
    summary: record.summary,
    by: record.by,
    reason: record.reason,
    ...(record.errors.length === 0 ? {} : { error: record.errors.join("; ") }),
  };
}

function technicalDetails(snapshot: SnapshotOutcome | undefined, at: number): readonly JsonObject[] {
  if (snapshot === undefined) return [];
  const { checks } = snapshot;
  return [
    ...snapshot.targets.map((target): JsonObject => ({
      action: "rollback_execution",
      target: target.name,
      method: target.method,
      result: targetResult(target),
      timestamp: at,
    })),
    ...(checks.length === 0 ? [] : [{
      action: "rollback_verification",
      result: { passed: checks.filter((check) => check.passed).length, total: checks.length },
      timestamp: at,
    }]),
  ];
}

const RESULTS: Readonly<Record<TargetOutcome["status"], string>> = {
  planned: "planned",
  captured: "success",
  restored: "success",
  unchanged: "success",
  failed: "failed",
  taken_back: "taken_back",
  skipped: "skipped",
};

function targetResult(target: TargetOutcome): JsonObject {
  const { commit_hash } = target.metadata;
  return {
    status: RESULTS[target.status],
    changed: target.changed,
    removed: target.removed,
    ...(commit_hash === undefined ? {} : { commit_hash }),
  };
}

function executionResult(status: Status, snapshot: SnapshotOutcome | undefined): JsonObject {
  const words: Readonly<Record<Status, string>> = {
    completed: "success",
    partial: "success",
    failed: "failed",
    dry_run: "planned",
  };
  const targets = snapshot?.targets ?? [];
  const methods = [...new Set(targets.map(({ method }) => method).filter((method) => method !== ""))];
  const commit = targets.find((target) => target.metadata.commit_hash !== undefined)?.metadata.commit_hash;
  return {
    status: words[status],
    method: methods.join(","),
    ...(commit === undefined ? {} : { commit_hash: commit }),
    targets: Object.fromEntries(targets.map((target) => [target.name, targetResult(target)])),
  };
}

function verificationResults(
  snapshot: SnapshotOutcome | undefined,
  tests: readonly JsonValue[],
): JsonObject {
  const checks = snapshot?.checks ?? [];
  const passed = checks.filter((check) => check.passed).length;
  const failed = checks.some((check) => !check.passed && check.required);
  return {
    status: checks.length === 0 ? "skipped" : failed ? "failed" : "success",
    passed,
    total: checks.length,
    results: checks.map((check, i): JsonObject => ({
      ...(tests.length === checks.length ? ownFields(tests[i]!) : {}),
      test: check.type,
      name: check.name,
      ...(check.expected === undefined ? {} : { expected: check.expected }),
      ...(check.actual === undefined ? {} : { actual: check.actual }),
      passed: check.passed,
      required: check.required,
      detail: check.detail,
    })),
  };
}

/** What the caller wrote of a test that says what it looked at; never headers and the like, which hold secrets. */
const SHOWN_FIELDS = ["path", "services", "repo_path", "port", "host"] as const;

function ownFields(test: JsonValue): JsonObject {
  if (typeof test !== "object" || test === null || Array.isArray(test)) return {};
  const block = test as JsonObject;
  return Object.fromEntries(
    SHOWN_FIELDS.flatMap((key) => block[key] === undefined ? [] : [[key, block[key]]]),
  );
}

function plannedChanges(snapshot: SnapshotOutcome | undefined): readonly JsonObject[] {
  return (snapshot?.targets ?? []).flatMap((target) =>
    target.changes.map((change): JsonObject => ({ target: target.name, ...change }))
  );
}
