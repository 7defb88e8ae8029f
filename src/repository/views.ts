/** What the reading operations answer. */
import type { Channel, ReleaseEntry, Tombstone } from "#/repository/index_format.ts";
import type { ExitCode } from "#/core/errors.ts";
import type { JsonObject } from "#/core/json.ts";
import type { PolicyMode, RuleResult } from "#/report/model.ts";

export type VersionState =
  | "absent"
  | "active"
  | "yanked"
  | "bad"
  | "partial"
  | "emptied"
  | "hidden"
  | "removed";

export interface ReleaseSummary {
  readonly version: string;
  readonly state: VersionState;
  readonly published_at: string | null;
  readonly artifacts: number;
  readonly size_bytes: number | null;
  readonly channels: readonly string[];
  readonly depends_on: readonly string[];
}

export interface ReleaseList {
  readonly repository: string;
  readonly serial: number;
  readonly releases: readonly ReleaseSummary[];
  readonly rolled_back: readonly Tombstone[];
  readonly channels: { readonly [name: string]: Channel };
}

export interface HoldList {
  readonly repository: string;
  readonly holds: readonly {
    readonly name: string;
    /** RFC 3339. */
    readonly at: string;
    readonly by: string;
    readonly reason: string;
  }[];
}

export interface ReleaseDetail {
  readonly version: string;
  readonly state: VersionState;
  readonly entry: ReleaseEntry | null;
  readonly tombstone: Tombstone | null;
  readonly channels: readonly string[];
  readonly dependents: readonly string[];
  readonly backups: readonly string[];
  readonly files: readonly {
    readonly path: string;
    readonly size: number | null;
    readonly sha256: string | null;
    readonly present: boolean;
  }[];
}

export interface VerifyProblem {
  readonly version: string;
  readonly path: string | null;
  readonly problem: string;
}

export interface VerifyResult {
  readonly repository: string;
  readonly releases_checked: number;
  readonly files_checked: number;
  readonly bytes_checked: number;
  /** Releases whose index gives no digest: only presence was checked. */
  readonly without_digest: readonly string[];
  readonly problems: readonly VerifyProblem[];
}

export interface BackupSummary {
  readonly id: string;
  readonly version: string;
  readonly rollback_id: string | null;
  readonly rollback_type: string | null;
  readonly created_at: string | null;
  readonly artifacts: number | null;
  readonly bytes: number | null;
  readonly reason: string | null;
  readonly pinned: boolean;
  /** False for a backup that T.A.R.S. made (no manifest). */
  readonly has_manifest: boolean;
}

/** A backup, with what retention makes of it. */
export interface RetainedBackup {
  readonly id: string;
  readonly version: string;
  readonly created_at: string | null;
  /** What deleting it frees. */
  readonly bytes: number;
  readonly action: "keep" | "delete";
  /** At least one. */
  readonly reasons: readonly string[];
}

/** What `retention apply` would do now. */
export interface RetentionPlan {
  readonly repository: string;
  /** RFC 3339: the moment it was decided for. */
  readonly at: string;
  /** Null where the storage does not know. */
  readonly free_bytes: number | null;
  /** Newest first. */
  readonly backups: readonly RetainedBackup[];
  readonly keep: { readonly backups: number; readonly bytes: number };
  readonly delete: { readonly backups: number; readonly bytes: number };
  readonly history: {
    readonly records: number;
    readonly delete: number;
    /** The newest record that goes; null when none does. */
    readonly up_to: { readonly operation: string; readonly at: string } | null;
  };
  /** Limits that cannot be met, and rules that do nothing. */
  readonly warnings: readonly string[];
}

export interface BackupVerifyResult {
  readonly backup: string;
  readonly files_checked: number;
  readonly bytes_checked: number;
  readonly read_data: boolean;
  readonly problems: readonly { readonly path: string | null; readonly problem: string }[];
}

export interface DrillResult extends BackupVerifyResult {
  readonly scratch: string;
  readonly restored: number;
  readonly seconds: number;
}

export interface HistoryEntry {
  readonly id: string;
  readonly operation: string;
  readonly status: string;
  readonly exit_code: number;
  readonly started_at: string;
  readonly finished_at: string;
  readonly versions: readonly string[];
  readonly by: string;
  readonly host: string;
  readonly reason: string;
  readonly summary: string;
  readonly serial_before: number;
  readonly serial_after: number;
  readonly dry_run: boolean;
}

export interface LockView {
  readonly id: string;
  readonly operation: string;
  readonly by: string;
  readonly host: string;
  readonly pid: number;
  readonly since: string;
  readonly reason: string;
  /** Whether the holder still runs, as far as it can be known from here. */
  readonly holder: "alive" | "dead" | "unknown";
}

export interface StatusView {
  /** True when this user may not read backout's own folders: what is in them is shown as null or empty. */
  readonly closed: boolean;
  readonly repository: string;
  readonly repository_type: "local" | "s3" | "gcs";
  readonly serial: number;
  readonly last_updated: string | null;
  readonly releases: number;
  readonly rolled_back: number;
  readonly channels: { readonly [name: string]: string };
  /** Null when unknown. */
  readonly backups: number | null;
  /** Bytes in them. */
  readonly backup_bytes: number | null;
  readonly lock: LockView | null;
  /** Seconds since the lock was taken, 0 when nobody holds it; null when unknown. */
  readonly lock_age_seconds: number | null;
  readonly unfinished: readonly {
    readonly id: string;
    readonly operation: string;
    readonly committed: boolean;
  }[];
  readonly last_operation: HistoryEntry | null;
  /** How the operations of the last days ended; denied is 41 and 42. */
  readonly recent_operations: {
    readonly days: number;
    readonly success: number;
    readonly partial: number;
    readonly denied: number;
    readonly failed: number;
    readonly dry_run: number;
  } | null;
  /** This user's messages that no receiver has taken yet; null where there is no place for them. */
  readonly waiting_notifications: {
    readonly messages: number;
    /** RFC 3339. */
    readonly oldest: string | null;
  } | null;
  readonly free_bytes: number | null;
}

export interface DoctorCheck {
  readonly id: string;
  readonly outcome: "ok" | "warning" | "problem";
  readonly detail: string;
  readonly hint: string | null;
}

export interface DoctorResult {
  readonly repository: string;
  readonly checks: readonly DoctorCheck[];
  readonly context: JsonObject;
}

/** What the policy says to a rollback, without running it. */
export interface PolicyCheck {
  readonly repository: string;
  /** Verb and object: `roll back v1.0.2`. */
  readonly operation: string;
  readonly versions: readonly string[];
  readonly policy_mode: PolicyMode;
  readonly forced: boolean;
  readonly allowed: boolean;
  /** 0, 41 or 42. */
  readonly exit_code: ExitCode;
  readonly rules: readonly RuleResult[];
  readonly warnings: readonly string[];
  /** The denial, null when there is none. */
  readonly message: string | null;
  readonly hint: string | null;
}

export interface AuditVerifyResult {
  readonly repository: string;
  /** All entries, those in archives included. */
  readonly entries: number;
  /** How many of them are in archives. */
  readonly archived: number;
  readonly signed: number;
  readonly head: { readonly seq: number; readonly sha256: string } | null;
  readonly problems: readonly string[];
}

export interface RecoverResult {
  readonly repository: string;
  readonly recovered: readonly {
    readonly id: string;
    readonly operation: string;
    readonly direction: "forward" | "back";
    readonly summary: string;
  }[];
  readonly warnings: readonly string[];
}

/** What became of the messages that waited. */
export interface NotifyFlushResult {
  readonly repository: string;
  readonly delivered: number;
  /** Messages that still wait. */
  readonly waiting: number;
  /** Messages given up: too old, damaged, or rejected by their receiver. */
  readonly dropped: number;
  readonly warnings: readonly string[];
}
