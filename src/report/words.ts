/** How the text reports name things. */
import { ExitCode } from "#/core/errors.ts";
import type { BackupReport, OperationKind, OperationReport } from "#/report/model.ts";
import { count, formatBytes } from "#/report/units.ts";
import { visible } from "#/report/visible.ts";

/** The words of one kind of operation. */
export interface OperationWords {
  /** Heading of the text report. */
  readonly title: string;
  /** For sentences: "the rollback". */
  readonly noun: string;
}

export const operationWords: Readonly<Record<OperationKind, OperationWords>> = {
  publish: { title: "PUBLISH REPORT", noun: "publish" },
  rollback: { title: "ROLLBACK REPORT", noun: "rollback" },
  restore: { title: "RESTORE REPORT", noun: "restore" },
  yank: { title: "YANK REPORT", noun: "yank" },
  unyank: { title: "UNYANK REPORT", noun: "unyank" },
  mark: { title: "MARK REPORT", noun: "mark" },
  channel_set: { title: "CHANNEL REPORT", noun: "channel change" },
  channel_rollback: { title: "CHANNEL ROLLBACK REPORT", noun: "channel rollback" },
  backup_delete: { title: "BACKUP DELETION REPORT", noun: "backup deletion" },
  backup_pin: { title: "BACKUP PIN REPORT", noun: "pin" },
  backup_unpin: { title: "BACKUP UNPIN REPORT", noun: "unpin" },
  hold_set: { title: "HOLD REPORT", noun: "hold" },
  hold_release: { title: "HOLD RELEASE REPORT", noun: "release of the hold" },
  audit_archive: { title: "AUDIT ARCHIVE REPORT", noun: "archiving of the audit log" },
  retention: { title: "RETENTION REPORT", noun: "retention" },
  snapshot_create: { title: "SNAPSHOT REPORT", noun: "snapshot" },
  snapshot_restore: { title: "SNAPSHOT RESTORE REPORT", noun: "restore" },
  snapshot_delete: { title: "SNAPSHOT DELETION REPORT", noun: "snapshot deletion" },
  snapshot_prune: { title: "SNAPSHOT RETENTION REPORT", noun: "retention" },
  snapshot_pin: { title: "SNAPSHOT PIN REPORT", noun: "pin" },
  snapshot_unpin: { title: "SNAPSHOT UNPIN REPORT", noun: "unpin" },
  snapshot_mark: { title: "SNAPSHOT MARK REPORT", noun: "mark" },
  snapshot_import: { title: "SNAPSHOT IMPORT REPORT", noun: "import" },
  component_rollback: { title: "COMPONENT ROLLBACK REPORT", noun: "rollback" },
  component_lock: { title: "LOCK FILE REPORT", noun: "lock file" },
  component_mark: { title: "COMPONENT MARK REPORT", noun: "mark" },
  changeset_rollback: { title: "CHANGESET ROLLBACK REPORT", noun: "rollback of the changeset" },
  confirm: { title: "CONFIRMATION REPORT", noun: "confirmation" },
  guard: { title: "GUARD REPORT", noun: "guard" },
  recover: { title: "RECOVERY REPORT", noun: "recovery" },
};

/** Operations on rollback points: they have a workspace and targets, no repository and no artifacts. */
const WORKSPACE_KINDS: ReadonlySet<OperationKind> = new Set<OperationKind>([
  "snapshot_create",
  "snapshot_restore",
  "snapshot_delete",
  "snapshot_prune",
  "snapshot_pin",
  "snapshot_unpin",
  "snapshot_mark",
  "snapshot_import",
  "component_rollback",
  "component_lock",
  "component_mark",
  "changeset_rollback",
  "confirm",
  "guard",
]);

/** Whether it worked on a workspace; a recovery may have done either. */
export function isWorkspaceOperation(report: Pick<OperationReport, "operation" | "snapshot">): boolean {
  return report.snapshot !== undefined || WORKSPACE_KINDS.has(report.operation);
}

/** Refusals: found out before anything was touched. */
const REFUSALS: ReadonlySet<ExitCode> = new Set<ExitCode>([
  ExitCode.usage,
  ExitCode.notFound,
  ExitCode.policyViolation,
  ExitCode.dependency,
  ExitCode.alreadyRolledBack,
  ExitCode.dryRun,
  ExitCode.locked,
  ExitCode.planMismatch,
]);

/** Stops that were taken back. */
const TAKEN_BACK: ReadonlySet<ExitCode> = new Set<ExitCode>([
  ExitCode.takenBack,
  ExitCode.guard,
  ExitCode.hangup,
  ExitCode.interrupted,
  ExitCode.terminated,
]);

export type FailureKind = "refused" | "taken_back" | "needs_person" | "failed";

/** What kind of ending a failure was. */
export function failureKind(code: ExitCode): FailureKind {
  if (REFUSALS.has(code)) return "refused";
  if (TAKEN_BACK.has(code)) return "taken_back";
  return code === ExitCode.unfinished ? "needs_person" : "failed";
}

/** What a failed operation left behind, as far as the report knows it for certain; undefined where it does not. */
export function stateAfterFailure(report: OperationReport): string | undefined {
  if (report.dry_run) return "Nothing was changed: this was a dry run.";
  if (report.prune !== undefined && report.status === "partial") return undefined; // its summary says how far it came
  const kind = failureKind(report.exit_code);
  switch (kind) {
    case "refused":
      return "Nothing was changed.";
    case "taken_back":
      // A stop between steps says so itself.
      if (/nothing was changed/i.test(report.error?.message ?? "")) return undefined;
      if (
        isWorkspaceOperation(report) &&
        /all is as before|had changed nothing/.test(report.error?.message ?? "")
      ) {
        return undefined;
      }
      return "It was taken back: the state is as before.";
    case "needs_person":
      return "The operation is unfinished and needs a person.";
    case "failed":
      if (isWorkspaceOperation(report)) return undefined;
      return report.index_updated
        ? undefined
        : `The index was not changed${report.serial_before > 0 ? ` (serial ${report.serial_before})` : ""}.`;
    default:
      return kind satisfies never;
  }
}

const CHECKED: Readonly<Record<BackupReport["integrity"], string>> = {
  sha256: "checked by sha256",
  etag: "checked by ETag and size",
  size: "checked by size only",
};

/** `3 artifacts, 1.2 MiB, checked by sha256`. */
export function describeBackup(backup: BackupReport): string {
  return `${count(backup.artifacts, "artifact")}, ${formatBytes(backup.bytes)}, ${CHECKED[backup.integrity]}`;
}

/** `stable: v1.0.2 → v1.0.1`; a channel that lost its last release names nothing. */
export function describeChannelMove(move: OperationReport["channels_moved"][number]): string {
  const from = move.from === "" ? "(new)" : visible(move.from);
  return `${visible(move.channel)}: ${from} → ${move.to === null ? "(nothing)" : visible(move.to)}`;
}

/** `rollback 0190… was finished` or `… was taken back`. */
export function describeRecovery(recovered: OperationReport["recovered"][number]): string {
  const ending = recovered.direction === "forward" ? "was finished" : "was taken back";
  return `unfinished ${visible(recovered.operation)} (${visible(recovered.id)}) ${ending}`;
}
