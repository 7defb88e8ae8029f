/** Fixed reports for the renderers' tests: one of each ending. */
import type { OperationReport } from "#/report/model.ts";

const base: OperationReport = {
  format: 1,
  operation: "rollback",
  version: "v1.0.2",
  versions: ["v1.0.2"],
  status: "success",
  timestamp: "2026-03-04T05:06:07.000Z",
  rollback_type: "full",
  rollback_id: "0195a0b1-2c3d-7e4f-8a5b-6c7d8e9f0a1b",
  repository_type: "local",
  repository_location: "/srv/releases",
  policy_mode: "strict",
  forced: false,
  reason: "broken login",
  by: "deploy",
  host: "web-1",
  dry_run: false,
  version_exists: true,
  policy_passed: true,
  dependencies_satisfied: true,
  policy: [{ id: "version_exists", outcome: "pass", reason: "v1.0.2 is in the index" }],
  artifacts_removed: [],
  total_artifacts_removed: 0,
  total_bytes_freed: 0,
  bytes_reclaimed: 0,
  artifacts_restored: [],
  artifacts_published: [],
  total_bytes_added: 0,
  artifacts_kept: [],
  channels_moved: [],
  rollback_duration_seconds: 0,
  index_updated: false,
  serial_before: 6,
  serial_after: 6,
  backup_created: false,
  backup: [],
  manifest_created: false,
  audit_log_created: true,
  audit_log_signed: false,
  artifacts_to_remove: [],
  index_entry_to_remove: null,
  estimated_duration_seconds: null,
  steps: [],
  verification: [],
  recovered: [],
  undo: null,
  warnings: [],
  errors: [],
  error: null,
  exit_code: 0,
  summary: "Rolled back v1.0.2",
};

const artifacts = ["v1.0.2/app.tar.gz", "v1.0.2/index.html", "v1.0.2/SHA256SUMS"];
const backupId = "v1.0.2-20260304_050607-8e9f0a1b";

const success: OperationReport = {
  ...base,
  artifacts_removed: artifacts,
  total_artifacts_removed: 3,
  total_bytes_freed: 1_258_291,
  channels_moved: [{ channel: "stable", from: "v1.0.2", to: "v1.0.1" }],
  rollback_duration_seconds: 0.31,
  index_updated: true,
  serial_after: 7,
  backup_created: true,
  backup: [{
    id: backupId,
    version: "v1.0.2",
    location: `/srv/releases/.rollback-backups/${backupId}`,
    artifacts: 3,
    bytes: 1_258_291,
    integrity: "sha256",
  }],
  manifest_created: true,
  audit_log_signed: true,
  steps: [
    {
      kind: "write_backup_manifest",
      description: `Write the manifest of backup ${backupId}`,
      status: "done",
      seconds: 0.012,
    },
    {
      kind: "commit_index",
      description: "Replace index.json (serial 6 → 7)",
      status: "done",
      seconds: 0.004,
    },
    {
      kind: "move_artifacts",
      description: "Move 3 artifacts into the backup",
      status: "done",
      seconds: 0.29,
    },
  ],
  verification: [
    { check: "index", passed: true, detail: "v1.0.2 is out of the index" },
    { check: "artifacts", passed: true, detail: "3 artifacts are gone from the published tree" },
  ],
  undo: "backout release restore 0195a0b1-2c3d-7e4f-8a5b-6c7d8e9f0a1b",
};

const denied: OperationReport = {
  ...base,
  status: "failed",
  rollback_id: null,
  policy_passed: false,
  policy: [
    { id: "version_exists", outcome: "pass", reason: "v1.0.2 is in the index" },
    {
      id: "latest_release",
      outcome: "deny",
      reason: "v1.0.2 is the only active release",
      hint: "publish another first",
    },
    { id: "type_implications", outcome: "warn", reason: "no artifact would be left" },
  ],
  warnings: ["type_implications: no artifact would be left"],
  errors: ["Policy denies rolling back v1.0.2: v1.0.2 is the only active release"],
  error: {
    code: 41,
    kind: "policy_violation",
    message: "Policy denies rolling back v1.0.2",
    hint: "Use --policy lenient, or --force --reason TEXT.",
    context: { rules: ["latest_release"] },
  },
  exit_code: 41,
  summary: "Refused: policy denies rolling back v1.0.2",
};

const dependents: OperationReport = {
  ...base,
  version: "v1.0.1",
  versions: ["v1.0.1"],
  status: "failed",
  rollback_id: null,
  dependencies_satisfied: false,
  errors: ["v1.0.2 depends on v1.0.1"],
  error: {
    code: 42,
    kind: "dependency",
    message: "v1.0.2 depends on v1.0.1",
    hint: "Roll back v1.0.2 first, or everything newer at once with --to v1.0.0.",
    context: { dependents: ["v1.0.2"] },
  },
  exit_code: 42,
  summary: "Refused: v1.0.2 depends on v1.0.1",
};

const takenBack: OperationReport = {
  ...base,
  status: "failed",
  steps: [
    {
      kind: "commit_index",
      description: "Replace index.json (serial 6 → 7)",
      status: "taken_back",
      seconds: 0.004,
    },
    {
      kind: "move_artifacts",
      description: "Move 3 artifacts into the backup",
      status: "failed",
      seconds: 0.1,
    },
  ],
  index_updated: true,
  serial_after: 8,
  rollback_duration_seconds: 0.4,
  errors: ["Cannot move v1.0.2/app.tar.gz: permission denied", "Moved 2 artifacts back"],
  error: {
    code: 43,
    kind: "taken_back",
    message: "Cannot move v1.0.2/app.tar.gz: permission denied",
    hint: "Give deploy write permission on /srv/releases/v1.0.2.",
    context: {},
  },
  exit_code: 43,
  summary: "The rollback of v1.0.2 failed and was taken back",
};

const dryRun: OperationReport = {
  ...base,
  status: "dry_run",
  dry_run: true,
  rollback_id: null,
  artifacts_to_remove: artifacts,
  index_entry_to_remove: { version: "v1.0.2", artifacts },
  estimated_duration_seconds: 0.5,
  channels_moved: [{ channel: "stable", from: "v1.0.2", to: "v1.0.1" }],
  steps: success.steps.map((step) => ({ ...step, status: "planned" as const, seconds: 0 })),
  warnings: ["v1.0.2 is the newest release"],
  summary: "Would roll back v1.0.2: 3 artifacts, 1.2 MiB",
};

const locked: OperationReport = {
  ...base,
  status: "failed",
  rollback_id: null,
  audit_log_created: false,
  errors: ["/srv/releases is locked by rollback v1.0.3"],
  error: {
    code: 50,
    kind: "locked",
    message:
      "/srv/releases is locked by rollback v1.0.3, run by ci on build-7 since 2026-03-04T05:00:00.000Z (incident 42)",
    hint: "Wait with --lock-timeout 5m, or ask ci on build-7.",
    context: {},
  },
  exit_code: 50,
  summary: "Refused: another operation holds the lock",
};

const restore: OperationReport = {
  ...base,
  operation: "restore",
  rollback_type: null,
  artifacts_restored: artifacts,
  total_bytes_added: 1_258_291,
  index_updated: true,
  serial_before: 7,
  serial_after: 8,
  rollback_duration_seconds: 1.04,
  channels_moved: [{ channel: "stable", from: "v1.0.1", to: "v1.0.2" }],
  undo: "backout release rollback v1.0.2",
  summary: "Restored v1.0.2",
};

const noOp: OperationReport = {
  ...base,
  operation: "publish",
  rollback_type: null,
  rollback_id: null,
  version_exists: true,
  summary: "v1.0.2 is already published with the same bytes: nothing to do",
};

const partial: OperationReport = {
  ...success,
  status: "partial",
  rollback_duration_seconds: 75,
  backup_created: false,
  backup: [],
  bytes_reclaimed: 1_258_291,
  undo: null,
  recovered: [{ id: "0195a0b1-0000-7000-8000-000000000001", operation: "publish v1.0.3", direction: "back" }],
  verification: [
    { check: "index", passed: true, detail: "v1.0.2 is out of the index" },
    { check: "artifacts", passed: false, detail: "v1.0.2/app.tar.gz is there again" },
  ],
  warnings: ["No backup was made (--no-backup)", "v1.0.2 is the newest release"],
  errors: ["A check failed after the rollback"],
  error: {
    code: 51,
    kind: "verification",
    message: "A check failed after the rollback: v1.0.2/app.tar.gz is there again",
    hint: "See who writes to /srv/releases.",
    context: {},
  },
  exit_code: 51,
  summary: "Rolled back v1.0.2, but a check failed",
};

export const reports = {
  success,
  denied,
  dependents,
  takenBack,
  dryRun,
  locked,
  restore,
  noOp,
  partial,
} as const;
