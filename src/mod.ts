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
  deleteBackup,
  markRelease,
  pinBackup,
  planRollback,
  publishRelease,
  restoreRelease,
  rollbackChannel,
  rollbackRelease,
  type SavedPlan,
  setChannel,
  unpinBackup,
  unyankRelease,
  yankRelease,
} from "#/release/operations.ts";
export { listReleases, showRelease, verifyReleases, type VersionOptions } from "#/release/read_releases.ts";
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
  recoverRepository,
  repositoryStatus,
  showHistory,
  unfinishedNote,
  unlockRepository,
  verifyAudit,
} from "#/release/read_state.ts";
export { repositoryDoctor } from "#/release/doctor.ts";
export { type GeneratedKey, generateKey } from "#/audit/keygen.ts";
export * from "#/core/errors.ts";
export type * from "#/report/model.ts";
export type * from "#/repository/options.ts";
export type * from "#/repository/views.ts";
export type * from "#/repository/index_format.ts";
