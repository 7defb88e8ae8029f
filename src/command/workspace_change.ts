/** The way of every command that changes something in a workspace: check, ask, run, report. */
import { ExitCode } from "#/core/errors.ts";
import type { OperationEvent, OperationReport } from "#/report/model.ts";
import { planLines, renderPruneTable } from "#/report/mod.ts";
import type { WorkspaceOptions } from "#/snapshot/options.ts";
import { metricsFile, metricsOutput, writeStepSummary } from "./aftermath.ts";
import { askOrRefuse, assertCanAsk, placedReport, present } from "./change.ts";
import type { CommandContext, ParsedArguments } from "./command.ts";
import { checkOutputPaths, reportFiles, writeReportFiles } from "./report_files.ts";
import type { OutputPath } from "./report_files.ts";
import { eventsPath, startWatch } from "./watch.ts";
import { workspaceOptions, workspacePlace } from "./workspace.ts";
import { writeWorkspaceMetrics } from "./workspace_metrics.ts";

const MOST_LINES = 20;
const MOST_LOST = 5;
/** Without steps there is nothing to ask about. */
const MAY_BE_IDLE: ReadonlySet<OperationReport["operation"]> = new Set<OperationReport["operation"]>([
  "snapshot_restore",
  "component_rollback",
  "changeset_rollback",
]);

export interface WorkspaceChange {
  readonly operate: (options: WorkspaceOptions) => Promise<OperationReport>;
  /** Set for what asks before it acts: what is about to happen, as the beginning of a question. */
  readonly destructive?: string;
  /** Looks at the options before anything is opened. @throws {UsageError} */
  readonly check?: (options: WorkspaceOptions) => void;
}

/**
 * Runs a changing command to its report.
 * @returns the report's exit code
 * @throws {UsageError} before anything is touched
 */
export async function runWorkspaceChange(
  args: ParsedArguments,
  context: CommandContext,
  change: WorkspaceChange,
): Promise<ExitCode> {
  const files = reportFiles(args.options, context.cwd);
  let onEvent: (event: OperationEvent) => void = () => {};
  const options = await workspaceOptions(args.options, context, (event) => onEvent(event));
  change.check?.(options);
  const metrics = await metricsFile(args.options, context);
  checkOutputPaths([
    ...metricsOutput(metrics),
    ...files.map(({ flag, path }): OutputPath => ({ flag, path, kind: "file" })),
    ...eventsPath(context),
  ], options.folder);
  const place = workspacePlace(args.options, context);
  const finish = async (report: OperationReport): Promise<OperationReport> => {
    const counted = withWarnings(report, await writeWorkspaceMetrics(metrics, options, context));
    const told = withWarnings(counted, writeStepSummary(counted, context));
    return placedReport(told, place);
  };

  const asked = await askFirst(context, change, options);
  if (asked !== undefined) {
    const report = await finish(asked);
    writeReportFiles(files, report, context);
    present(report, context);
    return report.exit_code;
  }
  const watch = startWatch(context);
  onEvent = watch.onEvent;
  let report: OperationReport;
  try {
    report = await change.operate(options);
  } finally {
    watch[Symbol.dispose]();
  }
  report = await finish(report);
  writeReportFiles(files, report, context);
  present(report, context);
  return report.exit_code;
}

function withWarnings(report: OperationReport, warnings: readonly string[]): OperationReport {
  return warnings.length === 0 ? report : { ...report, warnings: [...report.warnings, ...warnings] };
}

/**
 * Asks before something destructive, and shows what would be written, removed and lost.
 * @returns the report when that is the end of it already: refused, or nothing to do; undefined to go on
 * @throws {UsageError} when the answer is no, or nobody can be asked
 */
async function askFirst(
  context: CommandContext,
  change: WorkspaceChange,
  options: WorkspaceOptions,
): Promise<OperationReport | undefined> {
  const { destructive } = change;
  if (destructive === undefined || context.globals.yes || options.dryRun === true) return undefined;
  assertCanAsk(context, destructive);
  const { onEvent: _silent, ...quiet } = options;
  const preview = await change.operate({ ...quiet, dryRun: true });
  // What was asked for was no dry run: the report must not say so.
  if (preview.exit_code !== ExitCode.done) return { ...preview, dry_run: false };
  if (MAY_BE_IDLE.has(preview.operation) && preview.steps.length === 0) {
    return { ...preview, dry_run: false, status: "success" }; // nothing to ask about
  }
  if (preview.prune?.delete.snapshots === 0) return undefined; // nothing to ask about
  const { style } = context.printer;
  const lost = preview.warnings;
  context.printer.error([
    style.bold(preview.summary),
    ...(preview.prune === undefined
      ? planLines(preview, MOST_LINES)
      : [renderPruneTable(preview, { style, width: context.stdoutWidth }).trimEnd()]),
    ...lost.slice(0, MOST_LOST).map((warning) => style.yellow(`  Warning: ${warning}`)),
    ...(lost.length > MOST_LOST ? [`  and ${lost.length - MOST_LOST} more warnings`] : []),
  ].join("\n"));
  await askOrRefuse(context, destructive);
  return undefined;
}
