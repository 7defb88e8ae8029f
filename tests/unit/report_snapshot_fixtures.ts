/** Fixed reports of operations on rollback points: one of each ending. */
import type { OperationReport, SnapshotOutcome, TargetOutcome } from "#/report/model.ts";
import { reports as releaseReports } from "./report_fixtures.ts";

const target: TargetOutcome = {
  name: "config",
  type: "configuration",
  undo: "exact",
  method: "configuration_restore",
  files: 3,
  bytes: 4_096,
  stored_bytes: 0,
  changed: 2,
  removed: 1,
  seconds: 0.02,
  status: "restored",
  fingerprint: "f".repeat(64),
  metadata: { paths: ["/etc/app"] },
  changes: [
    { action: "replace", path: "/etc/app/app.conf", bytes: 1_229 },
    { action: "attributes", path: "/etc/app/key.pem", detail: "mode 644 becomes 600" },
    { action: "remove", path: "/etc/app/new.conf" },
  ],
};

const git: TargetOutcome = {
  ...target,
  name: "app",
  type: "git_commit",
  method: "git_reset",
  changed: 1,
  removed: 0,
  metadata: { commit_hash: "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567", branch: "main" },
  changes: [{ action: "run", path: "/app/source", detail: "check out 0a1b2c3d4e5f" }],
};

const database: TargetOutcome = {
  ...target,
  name: "db",
  type: "database",
  undo: "compensating",
  method: "",
  changed: 0,
  removed: 0,
  status: "unchanged",
  metadata: { database_name: "production_db" },
  changes: [],
};

const outcome: SnapshotOutcome = {
  id: "rb-0123456789ab",
  safety_id: "rb-ba9876543210",
  targets: [git, target, database],
  checks: [
    {
      type: "file_exists",
      name: "file_exists /etc/app/app.conf",
      passed: true,
      required: true,
      detail: "is a file",
      tries: 1,
      seconds: 0.001,
    },
    {
      type: "health_check",
      name: "health_check http://localhost:8080/health",
      passed: false,
      required: false,
      detail: "answered 503, not 200",
      expected: "200",
      actual: "503",
      tries: 3,
      seconds: 2.1,
    },
  ],
  confirm_by: null,
};

const base: OperationReport = {
  ...releaseReports.success,
  operation: "snapshot_restore",
  version: "rb-0123456789ab",
  versions: ["rb-0123456789ab"],
  rollback_type: null,
  repository_location: "/srv/app",
  artifacts_removed: [],
  total_artifacts_removed: 0,
  total_bytes_freed: 0,
  largest_artifacts: [],
  channels_moved: [],
  index_updated: false,
  serial_before: 0,
  serial_after: 0,
  backup_created: true,
  backup: [],
  policy: [{ id: "snapshot-uncommitted", outcome: "pass", reason: "nothing would be lost" }],
  verification: [{ check: "config", passed: true, detail: "config is as the snapshot has it" }],
  steps: [
    { kind: "safety_snapshot", description: "keep the state before", status: "done", seconds: 0.05 },
    { kind: "restore_target", description: "restore app (git_commit)", status: "done", seconds: 0.1 },
    { kind: "restore_target", description: "restore config (configuration)", status: "done", seconds: 0.02 },
    { kind: "run_checks", description: "run 2 checks", status: "done", seconds: 2.1 },
  ],
  snapshot: outcome,
  undo: "backout snapshot restore rb-ba9876543210",
  summary: "Restored app, config from rb-0123456789ab",
};

const waiting: OperationReport = {
  ...base,
  snapshot: { ...outcome, confirm_by: "2026-03-04T05:07:07.000Z", checks: [] },
};

const dryRun: OperationReport = {
  ...base,
  status: "dry_run",
  dry_run: true,
  rollback_id: null,
  audit_log_created: false,
  backup_created: false,
  rollback_duration_seconds: 0,
  verification: [],
  steps: base.steps.map((step) => ({ ...step, status: "planned", seconds: 0 })),
  snapshot: {
    ...outcome,
    safety_id: null,
    checks: [],
    targets: [{ ...git, status: "planned" }, { ...target, status: "planned" }, database],
  },
  undo: null,
  warnings: ["app: 2 commits that no branch has would be left behind"],
  summary: "Would restore app, config from rb-0123456789ab (4 changes)",
};

const created: OperationReport = {
  ...base,
  operation: "snapshot_create",
  verification: [],
  steps: [{
    kind: "capture_target",
    description: "capture config (configuration)",
    status: "done",
    seconds: 0.02,
  }],
  snapshot: {
    ...outcome,
    safety_id: null,
    checks: [],
    targets: [{ ...target, status: "captured", changed: 0, removed: 0, changes: [], stored_bytes: 512 }],
  },
  undo: "backout snapshot delete rb-0123456789ab",
  summary: "Took the snapshot rb-0123456789ab of 1 target (4 KiB)",
};

const takenBack: OperationReport = {
  ...base,
  status: "failed",
  exit_code: 43,
  verification: [],
  snapshot: {
    ...outcome,
    checks: [],
    targets: [{ ...git, status: "taken_back" }, { ...target, status: "failed" }, database],
  },
  steps: base.steps.map((step, i) => ({
    ...step,
    status: (["done", "taken_back", "failed", "planned"] as const)[i]!,
  })),
  undo: null,
  error: {
    code: 43,
    kind: "taken_back",
    message:
      "The restore of rb-0123456789ab failed (no space left on device); it was taken back: all is as before",
    hint: "Free some space, then run the command again.",
    context: {},
  },
  errors: [
    "The restore of rb-0123456789ab failed (no space left on device); it was taken back: all is as before",
  ],
  summary:
    "The restore of rb-0123456789ab failed (no space left on device); it was taken back: all is as before",
};

const checkFailed: OperationReport = {
  ...base,
  status: "partial",
  exit_code: 51,
  snapshot: { ...outcome, checks: outcome.checks.map((check) => ({ ...check, required: true })) },
  error: {
    code: 51,
    kind: "verification",
    message: "Restored, but a check failed: health_check http://localhost:8080/health",
    hint: "Look at the service, or take the restore back: backout snapshot restore rb-ba9876543210",
    context: {},
  },
  errors: ["Restored, but a check failed: health_check http://localhost:8080/health"],
  summary: "Restored, but a check failed: health_check http://localhost:8080/health",
};

export const snapshotReports = { restored: base, waiting, dryRun, created, takenBack, checkFailed } as const;
