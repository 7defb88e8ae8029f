/** The part of the library that works on meta repositories: components, lock files, changesets. */
export { rollbackComponents } from "#/meta/rollback.ts";
export { rollbackToEntry, type RollbackToEntryOptions } from "#/meta/rollback_to_entry.ts";
export {
  compareLocks,
  type ComponentSnapshot,
  type ComponentSnapshotOptions,
  type LockComparison,
  lockComponents,
  type LockDifference,
  type LockOptions,
  promoteLock,
  type PromoteOptions,
  writeComponentSnapshot,
} from "#/meta/lock.ts";
export {
  type ComponentHealth,
  componentHealth,
  type HealthOptions,
  type HealthReport,
} from "#/meta/health.ts";
export {
  type Changeset,
  type ChangesetCommit,
  listChangesets,
  readChangeset,
} from "#/component/changeset.ts";
export { type ChangesetRollbackOptions, rollbackChangeset } from "#/meta/changeset.ts";
export { markComponent, type MarkOptions } from "#/meta/mark.ts";
export {
  type ComponentTargets,
  componentTargets,
  type RollbackChoice,
  type TargetsOptions,
  type TargetsView,
} from "#/meta/targets.ts";
export type { ComponentRollbackOptions, EndOptions, MetaOptions, RollbackTarget } from "#/meta/options.ts";
