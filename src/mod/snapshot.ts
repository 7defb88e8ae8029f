/** The part of the library that works on rollback points of targets: loaded without the others. */
export * from "#/snapshot/mod.ts";
export {
  type CollectReport,
  collectStore,
  type CollectStoreOptions,
  type RepairReport,
  repairStoreIndex,
  type StoreCheck,
  type SyncReport,
  syncStore,
  type SyncStoreOptions,
  verifySnapshot,
  type VerifySnapshotOptions,
} from "#/snapshot/store_operations.ts";
export { workspaceDoctor } from "#/snapshot/workspace_doctor.ts";
export {
  hasWorkspace,
  workspaceNote,
  type WorkspaceStatus,
  workspaceStatus,
} from "#/snapshot/workspace_status.ts";
export { runChecks } from "#/verify/run_checks.ts";
export { generateKeyFile } from "#/store/user_key.ts";
export type * from "#/store/model.ts";
export type { TargetChange, TargetDriver, TargetSpec } from "#/target/target.ts";
export type * from "#/verify/check.ts";
