/**
 * backout as a library: the operations on releases and on rollback points as typed functions. The commands use nothing else.
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
export * from "./mod/release.ts";
export * from "./mod/snapshot.ts";
export * from "./mod/import.ts";
export * from "./mod/plugin.ts";
export * from "./mod/service.ts";
export * from "#/core/errors.ts";
export type * from "#/report/model.ts";
