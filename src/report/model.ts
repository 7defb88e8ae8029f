/**
 * The one result value that every changing operation ends in. All reports (text, JSON, events, JUnit, HTML)
 * and the audit log are made from it. Field names are those of the T.A.R.S. RollbackReport where it has them.
 */
import type { ExitCode } from "#/core/errors.ts";
import type { JsonObject } from "#/core/json.ts";
import type { PruneOutcome, SnapshotOutcome } from "./snapshot_model.ts";
import type { ReleaseEntry } from "#/repository/index_format.ts";

export type * from "./snapshot_model.ts";

export type OperationKind =
  | "publish"
  | "rollback"
  | "restore"
  | "yank"
  | "unyank"
  | "mark"
  | "channel_set"
  | "channel_rollback"
  | "backup_delete"
  | "backup_pin"
  | "backup_unpin"
  | "hold_set"
  | "hold_release"
  | "audit_archive"
  | "retention"
  | "snapshot_create"
  | "snapshot_restore"
  | "snapshot_delete"
  | "snapshot_prune"
  | "snapshot_pin"
  | "snapshot_unpin"
  | "snapshot_mark"
  | "snapshot_import"
  | "component_rollback"
  | "component_lock"
  | "component_mark"
  | "changeset_rollback"
  | "confirm"
  | "guard"
  | "recover";

export type RollbackType = "full" | "artifacts_only" | "index_only";
export type PolicyMode = "strict" | "lenient";
export type ReportStatus = "success" | "failed" | "dry_run" | "partial";

/** What one policy rule said. */
export interface RuleResult {
  readonly id: string;
  readonly outcome: "pass" | "warn" | "deny";
  readonly reason: string;
  readonly hint?: string;
  /** The waiver that made a warning of its denial. */
  readonly waived_by?: { readonly approver: string; readonly reason: string; readonly expires: string };
}

/** One step of the plan, with what became of it. */
export interface StepReport {
  readonly kind: string;
  /** One line for people. */
  readonly description: string;
  readonly status: "planned" | "done" | "skipped" | "failed" | "taken_back";
  readonly seconds: number;
  /** Seconds after the operation began at which this step began, where that was noted. */
  readonly started_seconds?: number;
}

/** An artifact and its size. */
export interface ArtifactSize {
  readonly path: string;
  readonly bytes: number;
}

/** One look at the world after the operation. */
export interface VerificationResult {
  readonly check: string;
  readonly passed: boolean;
  readonly detail: string;
}

/**
 * How the bytes of a backup are known: `sha256` of every artifact, read or vouched for by the storage; `etag`, where
 * object storage gave only its own tag, size and version of some; `size` only (`--verify-backup size`).
 */
export type Integrity = "sha256" | "etag" | "size";

export interface BackupReport {
  /** Folder name below `.rollback-backups/`. */
  readonly id: string;
  readonly version: string;
  readonly location: string;
  readonly artifacts: number;
  readonly bytes: number;
  readonly integrity: Integrity;
  /** The bytes are the bucket's older versions; nothing was copied. */
  readonly stored?: "versions";
}

/** What retention decided; whether it was done is said by status, steps and verification. */
export interface RetentionOutcome {
  /** Oldest first. */
  readonly to_delete: readonly {
    readonly id: string;
    readonly version: string;
    readonly bytes: number;
    readonly reasons: readonly string[];
  }[];
  /** Backups that stay. */
  readonly kept: number;
  readonly history_records_to_delete: number;
}

export interface ReportError {
  readonly code: ExitCode;
  readonly kind: string;
  readonly message: string;
  readonly hint: string | null;
  readonly context: JsonObject;
}

export interface OperationReport {
  readonly format: 1;
  readonly operation: OperationKind;
  /** The version asked for; several joined by a comma for `--to` and `--at`; empty where none applies. */
  readonly version: string;
  /** All versions the operation changes, newest first. */
  readonly versions: readonly string[];
  readonly status: ReportStatus;
  /** RFC 3339, when the operation began. */
  readonly timestamp: string;
  readonly rollback_type: RollbackType | null;
  /** The operation's id; `release restore` takes it. Null in a dry run. */
  readonly rollback_id: string | null;
  readonly repository_type: "local" | "s3" | "gcs";
  readonly repository_location: string;
  readonly policy_mode: PolicyMode;
  readonly forced: boolean;
  readonly reason: string;
  readonly by: string;
  readonly host: string;
  readonly dry_run: boolean;

  readonly version_exists: boolean;
  readonly policy_passed: boolean;
  readonly dependencies_satisfied: boolean;
  readonly policy: readonly RuleResult[];

  readonly artifacts_removed: readonly string[];
  readonly total_artifacts_removed: number;
  /** Bytes that left the published tree. */
  readonly total_bytes_freed: number;
  /** Space that is really free now (only what was deleted, not what moved into a backup). */
  readonly bytes_reclaimed: number;
  readonly artifacts_restored: readonly string[];
  readonly artifacts_published: readonly string[];
  /** Total bytes put into the published tree. */
  readonly total_bytes_added: number;
  /** Artifacts that stay because another release lists them too. */
  readonly artifacts_kept: readonly string[];
  /** The largest of the artifacts that left or came (in a dry run: would), largest first; a few, not all. */
  readonly largest_artifacts?: readonly ArtifactSize[];
  readonly channels_moved: readonly {
    readonly channel: string;
    readonly from: string;
    readonly to: string | null;
  }[];
  readonly rollback_duration_seconds: number;

  readonly index_updated: boolean;
  readonly serial_before: number;
  readonly serial_after: number;
  /** SHA-256 of index.json before and after; null where nothing was written. */
  readonly index_sha256_before?: string | null;
  readonly index_sha256_after?: string | null;
  readonly backup_created: boolean;
  readonly backup: readonly BackupReport[];
  /** Only of `retention apply`. */
  readonly retention?: RetentionOutcome;
  /** Only of operations on rollback points. */
  readonly snapshot?: SnapshotOutcome;
  /** Only of `snapshot prune`. */
  readonly prune?: PruneOutcome;
  readonly manifest_created: boolean;
  readonly audit_log_created: boolean;
  readonly audit_log_signed: boolean;

  /** Only in a dry run: what a real run would do. */
  readonly artifacts_to_remove: readonly string[];
  readonly index_entry_to_remove: ReleaseEntry | null;
  readonly estimated_duration_seconds: number | null;

  readonly steps: readonly StepReport[];
  readonly verification: readonly VerificationResult[];
  /** An operation that was found unfinished and was recovered first. */
  readonly recovered: readonly {
    readonly id: string;
    readonly operation: string;
    readonly direction: "forward" | "back";
  }[];
  /** The command that takes this operation back, where there is one. */
  readonly undo: string | null;

  readonly warnings: readonly string[];
  readonly errors: readonly string[];
  readonly error: ReportError | null;
  readonly exit_code: ExitCode;
  /** One sentence. */
  readonly summary: string;
}

/** Something that happened while an operation runs: for progress and `--events`. */
export type OperationEvent =
  | {
    readonly event: "started";
    readonly time: string;
    readonly operation: OperationKind;
    readonly id: string | null;
    readonly version: string;
  }
  | { readonly event: "waiting_for_lock"; readonly time: string; readonly holder: string }
  | {
    readonly event: "recovering";
    readonly time: string;
    readonly id: string;
    readonly operation: string;
    readonly direction: "forward" | "back";
  }
  | { readonly event: "policy"; readonly time: string; readonly rule: RuleResult }
  | {
    readonly event: "step_started";
    readonly time: string;
    readonly step: number;
    readonly steps: number;
    readonly description: string;
  }
  | {
    readonly event: "progress";
    readonly time: string;
    readonly phase: string;
    readonly done: number;
    readonly total: number;
    readonly unit: "bytes" | "files";
  }
  | {
    readonly event: "step_finished";
    readonly time: string;
    readonly step: number;
    readonly steps: number;
    readonly description: string;
    readonly seconds: number;
  }
  | {
    readonly event: "hooks";
    readonly time: string;
    readonly phase: "before" | "after";
    /** Without their arguments. */
    readonly programs: readonly string[];
  }
  | { readonly event: "committed"; readonly time: string; readonly serial: number }
  | { readonly event: "warning"; readonly time: string; readonly message: string }
  | {
    readonly event: "finished";
    readonly time: string;
    readonly status: ReportStatus;
    readonly exit_code: ExitCode;
    readonly summary: string;
  };
