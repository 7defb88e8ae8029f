/** The part of the library that works on meta repositories: components, lock files, changesets. */
export { rollbackComponents } from "#/meta/rollback.ts";
export type { ComponentRollbackOptions, EndOptions, MetaOptions, RollbackTarget } from "#/meta/options.ts";
