import { ExitCode } from "#/core/errors.ts";
import { visible } from "#/report/mod.ts";
import type { OperationReport } from "#/report/model.ts";
import type { RecoverResult } from "#/repository/views.ts";
import { metricsFile, metricsOutput, writeMetrics, writeStepSummary } from "./aftermath.ts";
import type { Command, CommandContext } from "./command.ts";
import { metricsFlag, repositoryOptions } from "./context.ts";
import { printView } from "./read.ts";
import { checkOutputPaths } from "./report_files.ts";
import { repositoryFlags } from "./repository_flags.ts";

export const command: Command = {
  summary: "Finish or take back an interrupted operation",
  description:
    "Bring the repository to the state before or after an operation that was interrupted. The next changing " +
    "command does this by itself; this one does nothing else.",
  options: [...repositoryFlags, metricsFlag],
  examples: [{ command: "backout recover -r /srv/releases", note: "after a crash or a power loss" }],
  run: async (args, context) => {
    const { recoverRepository } = await import("#/mod.ts");
    const options = await repositoryOptions(args.options, context);
    const metrics = await metricsFile(args.options, context);
    checkOutputPaths(metricsOutput(metrics), options.repository);
    const summaryWarnings: string[] = [];
    const onReport = (report: OperationReport) => {
      summaryWarnings.push(...writeStepSummary(report, context));
      if (report.error !== null) summaryWarnings.push(...report.warnings);
    };
    try {
      const { warnings, ...result } = await recoverRepository({ ...options, onReport });
      const later = [...await writeMetrics(metrics, options), ...summaryWarnings];
      const view = { ...result, warnings: [...warnings, ...later] };
      printView(view, () => textOf(view, context), context);
    } catch (error) {
      for (const warning of [...await writeMetrics(metrics, options), ...summaryWarnings]) {
        context.printer.error(context.printer.style.yellow(`Warning: ${warning}`));
      }
      throw error;
    }
    return ExitCode.done;
  },
};

function textOf(view: RecoverResult, context: CommandContext): string {
  const { style } = context.printer;
  const lines = view.recovered.map((one) => {
    const how = one.direction === "forward" ? "finished" : "taken back; all is as before";
    return `${style.green("✔")} The interrupted ${visible(one.operation)} (${one.id}) was ${how}\n`;
  });
  if (lines.length === 0) lines.push("Nothing to recover: no operation is unfinished.\n");
  const warnings = view.warnings.map((it) => `${style.yellow(`Warning: ${visible(it)}`)}\n`);
  return [...lines, ...warnings].join("");
}
