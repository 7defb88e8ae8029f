/**
 * backout as a library: the release operations as typed functions. The commands use nothing else.
 *
 * Changing operations return an {@linkcode OperationReport} for every outcome, refusals and failures included: look at
 * `exit_code` and `error`. They throw only {@linkcode UsageError}. Reading operations throw a
 * {@linkcode RollbackError} when they cannot answer.
 *
 * @example
 * ```ts
 * import { rollbackRelease } from "./src/mod.ts";
 *
 * const report = await rollbackRelease({ repository: "/srv/releases", version: "v1.0.2", reason: "crash at start" });
 * if (report.exit_code !== 0) throw new Error(report.summary);
 * ```
 * @module
 */
export {
  type ApplyOptions,
  applyPlan,
  applyRetention,
  deleteBackup,
  markRelease,
  pinBackup,
  planRollback,
  publishRelease,
  releaseHold,
  restoreRelease,
  rollbackChannel,
  rollbackRelease,
  type SavedPlan,
  setChannel,
  setHold,
  unpinBackup,
  unyankRelease,
  yankRelease,
} from "#/release/operations.ts";
export {
  listHolds,
  listReleases,
  showRelease,
  verifyReleases,
  type VersionOptions,
} from "#/release/read_releases.ts";
export {
  type BackupDetail,
  type BackupOptions,
  drillBackup,
  type DrillOptions,
  listBackups,
  showBackup,
  verifyBackups,
  type VerifyBackupsOptions,
} from "#/release/read_backups.ts";
export {
  listHistory,
  repositoryStatus,
  showHistory,
  unfinishedNote,
  unlockRepository,
} from "#/release/read_state.ts";
export { recoverRepository, type RecoverRepositoryOptions } from "#/release/recover_repository.ts";
export { repositoryMetrics } from "#/release/metrics.ts";
export { flushNotifications } from "#/release/notifications.ts";
export { verifyAudit, type VerifyAuditOptions } from "#/release/audit_verify.ts";
export { archiveAudit, type ArchiveAuditOptions } from "#/release/audit_archive.ts";
export { exportAudit, type ExportAuditOptions, type ExportAuditResult } from "#/release/audit_export.ts";
export { planRetention } from "#/release/retention.ts";
export { checkPolicy } from "#/release/policy_check.ts";
export { explainPolicy, type PolicyExplanation, type RuleExplanation } from "#/policy/explain.ts";
export type { RetentionSettings } from "#/policy/retention.ts";
export type * from "#/policy/settings.ts";
export { repositoryDoctor } from "#/release/doctor.ts";
export { type GeneratedKey, generateKey } from "#/audit/keygen.ts";
export * from "#/core/errors.ts";
export type * from "#/report/model.ts";
export type * from "#/repository/options.ts";
export type * from "#/repository/views.ts";
export type * from "#/repository/index_format.ts";
