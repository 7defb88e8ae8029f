import { ExitCode } from "#/core/errors.ts";
import { renderError, visible } from "#/report/mod.ts";
import type { OperationReport } from "#/report/model.ts";
import type { RecoverResult } from "#/repository/views.ts";
import { metricsFile, metricsOutput, writeMetrics, writeStepSummary } from "./aftermath.ts";
import type { Command, CommandContext, ParsedArguments } from "./command.ts";
import { metricsFlag, repositoryOptions } from "./context.ts";
import { printView } from "./read.ts";
import { checkOutputPaths } from "./report_files.ts";
import { repositoryFlags } from "./repository_flags.ts";
import { placesOf, workspaceFlags, workspaceOptions } from "./workspace.ts";
import { writeWorkspaceMetrics } from "./workspace_metrics.ts";

export const command: Command = {
  summary: "Finish or take back an interrupted operation",
  description:
    "Bring the repository, and the workspace of the configuration, to the state before or after an operation that was " +
    "interrupted. A restore that nobody confirmed in time is taken back. The next changing command does this by itself; " +
    "this one does nothing else.",
  options: [...repositoryFlags, ...workspaceFlags, metricsFlag],
  examples: [
    { command: "backout recover -r /srv/releases", note: "after a crash or a power loss" },
    {
      command: "backout recover --config /etc/backout/backout.yaml",
      note: "all that it names, for example at boot",
    },
  ],
  run: async (args, context) => {
    const places = await placesOf(args.options, context);
    const wanted = [
      ...(places.repository ? [recoverRepositoryPlace] : []),
      ...(places.workspace ? [recoverWorkspacePlace] : []),
    ];
    const views: RecoverResult[] = [];
    const failures: unknown[] = [];
    for (const recover of wanted) {
      // What is wrong with one of the two must not leave the other unfinished.
      await recover(args, context).then((view) => views.push(view), (error) => failures.push(error));
    }
    if (failures.length > 0) {
      for (const view of views) context.printer.error(textOf(view, context));
      for (const other of failures.slice(1)) {
        context.printer.error(renderError(other, context.printer.style, context.globals));
      }
      throw failures[0];
    }
    const [first] = views;
    const view: RecoverResult & { readonly workspace?: string } = {
      repository: first?.repository ?? "",
      ...(places.workspace ? { workspace: views.at(-1)!.repository } : {}),
      recovered: views.flatMap(({ recovered }) => recovered),
      warnings: views.flatMap(({ warnings }) => warnings),
    };
    printView(view, () => textOf(view, context), context);
    return ExitCode.done;
  },
};

async function recoverRepositoryPlace(
  args: ParsedArguments,
  context: CommandContext,
): Promise<RecoverResult> {
  const { recoverRepository } = await import("#/mod/release.ts");
  const options = await repositoryOptions(args.options, context);
  const metrics = await metricsFile(args.options, context);
  checkOutputPaths(metricsOutput(metrics), options.repository);
  return await recovered(
    context,
    (onReport) => recoverRepository({ ...options, onReport }),
    () => writeMetrics(metrics, options, context),
  );
}

async function recoverWorkspacePlace(args: ParsedArguments, context: CommandContext): Promise<RecoverResult> {
  const { recoverWorkspace } = await import("#/mod/snapshot.ts");
  const options = await workspaceOptions(args.options, context);
  const metrics = await metricsFile(args.options, context);
  checkOutputPaths(metricsOutput(metrics), options.folder);
  return await recovered(
    context,
    (onReport) => recoverWorkspace({ ...options, onReport }),
    () => writeWorkspaceMetrics(metrics, options, context),
  );
}

/** Recovers, then writes what is to be written, also after a failure. */
async function recovered(
  context: CommandContext,
  recover: (onReport: (report: OperationReport) => void) => Promise<RecoverResult>,
  writeNumbers: () => Promise<readonly string[]>,
): Promise<RecoverResult> {
  const summaryWarnings: string[] = [];
  const onReport = (report: OperationReport) => {
    summaryWarnings.push(...writeStepSummary(report, context));
    if (report.error !== null) summaryWarnings.push(...report.warnings);
  };
  try {
    const { warnings, ...result } = await recover(onReport);
    return { ...result, warnings: [...warnings, ...await writeNumbers(), ...summaryWarnings] };
  } catch (error) {
    for (const warning of [...await writeNumbers(), ...summaryWarnings]) {
      context.printer.error(context.printer.style.yellow(`Warning: ${warning}`));
    }
    throw error;
  }
}

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
