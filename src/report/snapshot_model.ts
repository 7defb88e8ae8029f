/** What an operation on rollback points adds to its report. */
import type { JsonObject } from "#/core/json.ts";
import type { CollectReport } from "#/store/collect.ts";
import type { SnapshotOrigin, UndoClass } from "#/store/model.ts";
import type { TargetChange } from "#/target/target.ts";

/** One target of a snapshot, with what became of it. */
export interface TargetOutcome {
  readonly name: string;
  readonly type: string;
  readonly undo: UndoClass;
  /** How it was taken or restored: `git_commit`, `git_reset`, `configuration_files`, …; empty where neither happened. */
  readonly method: string;
  readonly files: number;
  /** Of the target itself. */
  readonly bytes: number;
  /** What this operation added to the store for it, compressed. */
  readonly stored_bytes: number;
  readonly changed: number;
  readonly removed: number;
  readonly seconds: number;
  /** `unchanged`: it was as the snapshot has it. */
  readonly status: "planned" | "captured" | "restored" | "unchanged" | "failed" | "taken_back" | "skipped";
  /** Equal for equal states of the target; empty where it is not known. */
  readonly fingerprint: string;
  readonly metadata: JsonObject;
  /** At most 1000; `changed` and `removed` count all. */
  readonly changes: readonly TargetChange[];
}

/** What a check saw. */
export interface CheckOutcome {
  readonly type: string;
  readonly name: string;
  readonly passed: boolean;
  readonly required: boolean;
  /** One line: what was expected and what was found. */
  readonly detail: string;
  readonly expected?: string;
  readonly actual?: string;
  readonly tries: number;
  readonly seconds: number;
}

export interface SnapshotOutcome {
  readonly id: string;
  /** The snapshot of the state before a restore, which takes it back; null where none was needed. */
  readonly safety_id: string | null;
  readonly targets: readonly TargetOutcome[];
  readonly checks: readonly CheckOutcome[];
  /** When the restore is taken back unless it is confirmed, RFC 3339; null where it stands. */
  readonly confirm_by: string | null;
}

/** A snapshot, and what retention says of it. */
export interface PrunedSnapshot {
  readonly id: string;
  /** RFC 3339. */
  readonly created_at: string;
  readonly origin: SnapshotOrigin;
  readonly description: string;
  /** What it added to the store when it was made: about what its deletion frees, as later ones may share it. */
  readonly bytes: number;
  readonly action: "keep" | "delete";
  readonly reasons: readonly string[];
}

/** What `snapshot prune` decided; whether it was done is said by status and steps. */
export interface PruneOutcome {
  /** Where the store is; null on object storage, and where the system does not say. */
  readonly free_bytes: number | null;
  /** All of the workspace, newest first. */
  readonly snapshots: readonly PrunedSnapshot[];
  readonly keep: { readonly snapshots: number; readonly bytes: number };
  readonly delete: { readonly snapshots: number; readonly bytes: number };
  /** Records of the workspace's history that go with them, the oldest ones. */
  readonly history_records_to_delete: number;
  /** What was freed afterwards, where that was asked for. */
  readonly collected?: CollectReport;
}
