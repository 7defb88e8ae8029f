/** The way of every changing command: check, ask, run, report. */
import { ExitCode, UsageError } from "#/core/errors.ts";
import type { ChangeOptions } from "#/repository/options.ts";
import type { OperationReport } from "#/report/model.ts";
import { numberedSteps, renderOutcome, renderPruneTable, renderReport, reportFormats } from "#/report/mod.ts";
import { finishReport, metricsFile, metricsOutput } from "./aftermath.ts";
import type { CommandContext, ParsedArguments } from "./command.ts";
import { changeOptions } from "./context.ts";
import { checkOutputPaths, reportFiles, writeReportFiles } from "./report_files.ts";
import type { OutputPath } from "./report_files.ts";
import { placeFlags, withPlace } from "./place.ts";
import { quoteCommand } from "./shell_quote.ts";
import { eventsPath, startWatch } from "./watch.ts";

const MOST_STEPS = 20;

export interface Change {
  readonly operate: (options: ChangeOptions) => Promise<OperationReport>;
  /** Set for what asks before it acts: what is about to happen, as the beginning of a question. */
  readonly destructive?: string;
  /** Further files and folders that the operation writes for its caller. */
  readonly outputs?: readonly OutputPath[];
}

/**
 * Runs a changing command to its report.
 * @returns the report's exit code
 * @throws {UsageError} before anything is touched
 */
export async function runChange(
  args: ParsedArguments,
  context: CommandContext,
  change: Change,
): Promise<ExitCode> {
  const files = reportFiles(args.options, context.cwd);
  let onEvent: (event: Parameters<NonNullable<ChangeOptions["onEvent"]>>[0]) => void = () => {};
  const options = await changeOptions(args.options, context, (event) => onEvent(event));
  const metrics = await metricsFile(args.options, context);
  const outputs = [
    ...metricsOutput(metrics),
    ...files.map(({ flag, path }): OutputPath => ({ flag, path, kind: "file" })),
    ...change.outputs ?? [],
    ...eventsPath(context),
  ];
  checkOutputPaths(outputs, options.repository);

  const asked = await askFirst(context, change, options);
  if (asked !== undefined) {
    const told = await finishReport(asked, metrics, options, context);
    present(placedReport(told, placeFlags(args, context, options)), context);
    return told.exit_code;
  }
  const watch = startWatch(context);
  onEvent = watch.onEvent;
  let report: OperationReport;
  try {
    report = await change.operate(options);
  } finally {
    watch[Symbol.dispose]();
  }
  report = placedReport(report, placeFlags(args, context, options));
  report = await finishReport(report, metrics, options, context);
  writeReportFiles(files, report, context);
  present(report, context);
  return report.exit_code;
}

/** The report with commands that can be pasted: where the place was given by flags, they need them too. */
export function placedReport(report: OperationReport, place: string): OperationReport {
  if (place === "") return report;
  const { undo, error } = report;
  return {
    ...report,
    undo: undo === null ? null : `${undo} ${place}`,
    error: error === null || error.hint === null ? error : { ...error, hint: withPlace(error.hint, place) },
  };
}

/**
 * Asks before something destructive.
 * @returns the report of the dry run when that was refused already, undefined to go on
 * @throws {UsageError} when the answer is no, or nobody can be asked
 */
async function askFirst(
  context: CommandContext,
  change: Change,
  options: ChangeOptions,
): Promise<OperationReport | undefined> {
  const { destructive } = change;
  if (destructive === undefined || context.globals.yes || options.dryRun === true) return undefined;
  assertCanAsk(context, destructive);
  const { onEvent: _silent, ...quiet } = options;
  const preview = await change.operate({ ...quiet, dryRun: true });
  // What was asked for was no dry run: the report must not say so.
  if (preview.exit_code !== ExitCode.done) return { ...preview, dry_run: false };
  if (preview.steps.length === 0) return { ...preview, dry_run: false, status: "success" }; // nothing to ask about
  const { style } = context.printer;
  const steps = numberedSteps(preview.steps, style);
  const hidden = steps.length - MOST_STEPS;
  context.printer.error([
    style.bold(preview.summary),
    ...steps.slice(0, MOST_STEPS),
    ...(hidden > 0 ? [`  and ${hidden} more steps`] : []),
    ...preview.warnings.map((warning) => style.yellow(`  Warning: ${warning}`)),
  ].join("\n"));
  await askOrRefuse(context, destructive);
  return undefined;
}

/** @throws {UsageError} where there is no terminal to ask on and no `--yes` */
export function assertCanAsk(context: CommandContext, what: string): void {
  if (context.stdinIsTerminal || context.globals.yes) return;
  throw new UsageError(`${what} needs a confirmation, and there is no terminal to ask on`, {
    hint: "Add --yes, or --dry-run to see what would happen.",
  });
}

/** @throws {UsageError} when the answer is not yes */
export async function askOrRefuse(context: CommandContext, what: string): Promise<void> {
  if (context.globals.yes || await context.confirm(`${what}: go on?`)) return;
  throw new UsageError("Not confirmed; nothing was changed", { hint: "Answer y, or add --yes." });
}

/** Prints a report: JSON as one document; text short for a person who looks on, whole for a file or a pipe. */
export function present(report: OperationReport, context: CommandContext): void {
  const { printer, globals } = context;
  if (globals.output === "json") return printer.out(reportFormats.json(report));
  const text = textOf(report, context);
  const failed = report.exit_code !== ExitCode.done;
  if (globals.events === "-") return printer.error(text);
  if (failed && context.stdoutIsTerminal) return printer.error(text);
  printer.out(text);
  // Scripts keep standard output; the person who reads the log finds the reason on standard error.
  if (failed) printer.error(renderOutcome(report, printer.style));
}

function textOf(report: OperationReport, context: CommandContext): string {
  const { printer, globals } = context;
  const { style } = printer;
  const text = context.stdoutIsTerminal && !globals.verbose
    ? (report.dry_run ? renderPruneTable(report, { style, width: context.stdoutWidth }) : "") +
      renderOutcome(report, style)
    : renderReport(report, style, { verbose: globals.verbose });
  if (!report.dry_run || report.exit_code !== ExitCode.done || !globals.dryRun) return text;
  if (
    /^(snapshot_restore|component_.*|changeset_rollback)$/.test(report.operation) && report.steps.length === 0
  ) {
    return text;
  } // nothing to run
  return `${text}To run it:\n  ${printer.style.cyan(commandWithoutDryRun(context.argv))}\n`;
}

function commandWithoutDryRun(argv: readonly string[]): string {
  const end = argv.indexOf("--");
  const kept = argv.filter((word, i) => word !== "--dry-run" || (end >= 0 && i > end));
  return quoteCommand(["backout", ...kept.map(withoutPassword)]);
}

/** What is printed is kept in logs: an address goes there without its password. */
function withoutPassword(word: string): string {
  return word.replace(/([a-z][a-z0-9+.-]*:\/\/[^\s/?#@:]*:)\S+(?=@)/gi, "$1***");
}
