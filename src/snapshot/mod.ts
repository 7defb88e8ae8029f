/** Snapshots of targets: taken, restored, confirmed, recovered, and looked at. */
export { createSnapshot } from "./create.ts";
export { restoreSnapshot } from "./restore.ts";
export {
  confirmRestore,
  revertUnconfirmed,
  type WaitingRestore,
  waitingRestore,
  watchConfirmation,
} from "./confirm.ts";
export { recoverWorkspace, type RecoverWorkspaceOptions } from "./recover_workspace.ts";
export { type GuardOptions, runGuard } from "./guard.ts";
export { deleteSnapshot, markSnapshot, pinSnapshot, type SnapshotOptions } from "./manage.ts";
export {
  type DiffOptions,
  diffSnapshots,
  type ListOptions,
  listSnapshots,
  showSnapshot,
  type SnapshotList,
  type TargetDiff,
  type UnfinishedRestore,
} from "./read_snapshots.ts";
export { assertSnapshotRules, type PruneOptions, pruneSnapshots } from "./prune.ts";
export { type SnapshotNumbers, snapshotNumbers } from "./numbers.ts";
export type { CreateOptions, RestoreSnapshotOptions, StoreOptions, WorkspaceOptions } from "./options.ts";
export { impliedTargets, type StackChoice, withStackChoice } from "./stack_targets.ts";
