/** The part of the library that works on repositories of releases: loaded without the other. */
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
export type * from "#/repository/options.ts";
export type * from "#/repository/views.ts";
export type * from "#/repository/index_format.ts";
