/** The part of the library that works on entries of components: the shared store, the cache of builds, and applying. */
export { type AddedView, addToStore, type AddToStoreOptions } from "#/component/store/add.ts";
export { getFromStore, type GetOptions, type GotView } from "#/component/store/get.ts";
export {
  type EntryFilter,
  type EntryList,
  type EntryRow,
  type EntryStats,
  entryStats,
  listAllEntries,
  type ListEntriesOptions,
} from "#/component/store/list.ts";
export { collectEntries, type GcOptions, type GcReport } from "#/component/store/gc.ts";
export { pinEntry, syncEntries, type SyncEntriesOptions } from "#/component/store/manage.ts";
export { lookAtEntry, stageForRollback } from "#/component/store/stage_for_rollback.ts";
export { importMetaStore, type ImportStoreOptions } from "#/component/store/import.ts";
export { type ExportedView, exportEntry, type ExportOptions } from "#/component/store/export.ts";
export type { ImportView } from "#/component/store/meta_store.ts";
export { buildCached, type BuildOptions, type BuiltView } from "#/component/cache/build.ts";
export {
  type CacheGetOptions,
  type CacheGotView,
  getCached,
  invalidateCache,
  type InvalidatedView,
  type InvalidateOptions,
  warmCache,
  type WarmOptions,
  type WarmView,
} from "#/component/cache/get.ts";
export { applyComponents } from "#/component/apply/apply.ts";
export type { AppliedComponent, ApplyOptions, ApplyReport } from "#/component/apply/model.ts";
export type { EntryKind, EntryView } from "#/component/entry/entry.ts";
export type { EntryOptions } from "#/component/entry/stores.ts";
export type { Sent } from "#/component/entry/transfer.ts";
