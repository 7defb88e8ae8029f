/** The part of the library that takes over what other tools left. */
export { type ImportOptions, importSnapshots } from "#/snapshot/import/import_snapshots.ts";
