/** `release rollback --out`: the plan as a file, nothing else touched. */
import { ExitCode, messageOf, RollbackManifestError } from "#/core/errors.ts";
import { formatJson } from "#/core/json.ts";
import { writeOutputFile } from "#/core/output_file.ts";
import type { RollbackOptions } from "#/repository/options.ts";
import { finishReport, metricsFile, metricsOutput } from "./aftermath.ts";
import type { CommandContext, ParsedArguments } from "./command.ts";
import { changeOptions } from "./context.ts";
import { placedReport, present } from "./change.ts";
import { placeFlags } from "./place.ts";
import { checkOutputPaths, reportFiles, writeReportFiles } from "./report_files.ts";
import { quoteCommand } from "./shell_quote.ts";
import { eventsPath, startWatch } from "./watch.ts";

/** Plans the rollback and writes the plan to `path`, unless it would be refused. */
export async function savePlan(
  args: ParsedArguments,
  context: CommandContext,
  rollback: Omit<RollbackOptions, "repository">,
  path: string,
): Promise<ExitCode> {
  const { planRollback } = await import("#/mod/release.ts");
  const files = reportFiles(args.options, context.cwd);
  using watch = startLazily(context);
  const options = await changeOptions(args.options, context, (event) => watch.onEvent(event));
  const metrics = await metricsFile(args.options, context);
  checkOutputPaths([
    ...metricsOutput(metrics),
    { flag: "--out", path, kind: "file" },
    ...files.map(({ flag, path }) => ({ flag, path, kind: "file" as const })),
    ...eventsPath(context),
  ], options.repository);
  watch.start();
  const planned = await planRollback({ ...options, ...rollback });
  const { plan } = planned;
  const placed = placedReport(planned.report, placeFlags(args, context, options));
  const report = await finishReport(placed, metrics, options, context);
  writeReportFiles(files, report, context);
  present(report, context);
  if (report.exit_code !== ExitCode.done) {
    context.printer.error(`No plan was written to ${path}: it would be refused.`);
    return report.exit_code;
  }
  try {
    writeOutputFile(path, formatJson(plan));
  } catch (cause) {
    throw new RollbackManifestError(`Cannot write the plan ${path}: ${messageOf(cause)}`, { cause });
  }
  const apply = ["backout", "release", "apply", path, "-r", options.repository];
  context.printer.line(`The plan is in ${path}. To run it:\n  ${quoteCommand(apply)}`);
  return ExitCode.done;
}

/** Opens nothing before the output paths were checked. */
function startLazily(context: CommandContext) {
  let watch: ReturnType<typeof startWatch> | undefined;
  return {
    start: () => void (watch = startWatch(context)),
    onEvent: (event: Parameters<ReturnType<typeof startWatch>["onEvent"]>[0]) => watch?.onEvent(event),
    [Symbol.dispose]: () => watch?.[Symbol.dispose](),
  };
}
