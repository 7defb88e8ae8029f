/** Everything that turns results into text and documents. */
export * from "#/report/error_text.ts";
export * from "#/report/events.ts";
export * from "#/report/json_report.ts";
export * from "#/report/metrics.ts";
export * from "#/report/outcome.ts";
export * from "#/report/printer.ts";
export * from "#/report/progress.ts";
export * from "#/report/prune_report.ts";
export * from "#/report/registry.ts";
export * from "#/report/sizes.ts";
export * from "#/report/snapshot_metrics.ts";
export * from "#/report/snapshot_words.ts";
export * from "#/report/style.ts";
export * from "#/report/table.ts";
export * from "#/report/text_report.ts";
export * from "#/report/units.ts";
export { displayWidth, pad, truncate, visible, visibleLines, wrap } from "#/report/visible.ts";
