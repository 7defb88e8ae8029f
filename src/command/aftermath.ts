/** What is left to do when an operation has ended: the numbers for Prometheus, the summary for GitHub. Nothing of it fails the command. */
import { resolve } from "node:path";
import { messageOf } from "#/core/errors.ts";
import { writeOutputFile } from "#/core/output_file.ts";
import { reportFormats } from "#/report/mod.ts";
import type { OperationReport } from "#/report/model.ts";
import type { RepositoryOptions } from "#/repository/options.ts";
import type { CommandContext, OptionValues } from "./command.ts";
import { lazyConfig } from "./context.ts";
import { appendStepSummary, type OutputPath } from "./report_files.ts";
import { textOption } from "./values.ts";

export interface MetricsFile {
  /** What named it. */
  readonly flag: "--metrics-file" | "metrics_file";
  readonly path: string;
}

/** Where the numbers go: the flag, else the configuration. */
export async function metricsFile(
  options: OptionValues,
  context: CommandContext,
): Promise<MetricsFile | undefined> {
  const flag = flaggedMetricsFile(options, context);
  if (flag !== undefined) return flag;
  const path = (await lazyConfig(context)())?.metrics_file;
  return path === undefined ? undefined : { flag: "metrics_file", path };
}

/** The same for commands that write them only when asked. */
export function flaggedMetricsFile(options: OptionValues, context: CommandContext): MetricsFile | undefined {
  const path = textOption(options, "metricsFile");
  return path === undefined ? undefined : { flag: "--metrics-file", path: resolve(context.cwd, path) };
}

/** For the check of output paths: it may fail to be written, but must not replace what is the repository's. */
export function metricsOutput(file: MetricsFile | undefined): readonly OutputPath[] {
  return file === undefined ? [] : [{ ...file, kind: "file", optional: true }];
}

/**
 * Writes the numbers to a temporary name and renames it: who collects them never sees half of them.
 * @returns warnings
 */
export async function writeMetrics(
  file: MetricsFile | undefined,
  options: RepositoryOptions,
  context: CommandContext,
): Promise<readonly string[]> {
  if (file === undefined) return [];
  const { signal: _stopped, onEvent: _silent, ...quiet } = options;
  try {
    const { repositoryMetrics } = await import("#/mod/release.ts");
    writeOutputFile(file.path, await repositoryMetrics(quiet) + await workspacePart(file, context));
    return [];
  } catch (error) {
    return [`Cannot write ${file.flag} ${file.path}: ${messageOf(error)}`];
  }
}

/** The file of the configuration has the numbers of all that it names; the file of a flag those that were asked for. */
async function workspacePart(file: MetricsFile, context: CommandContext): Promise<string> {
  const targets = (await lazyConfig(context)())?.targets;
  if (file.flag !== "metrics_file" || targets === undefined) return "";
  const { configuredWorkspaceMetrics } = await import("./workspace_metrics.ts");
  return await configuredWorkspaceMetrics(context);
}

/**
 * Adds the report to what GitHub shows of this step of a workflow, where it is one.
 * @returns warnings
 */
export function writeStepSummary(report: OperationReport, { env }: CommandContext): readonly string[] {
  const path = env("GITHUB_STEP_SUMMARY") ?? "";
  if (path === "") return [];
  try {
    if (appendStepSummary(path, reportFormats.step_summary(report))) return [];
    return [
      `The summary of this step (${path}) is full: GitHub would show nothing of it, so nothing was added`,
    ];
  } catch (error) {
    return [`Cannot write GITHUB_STEP_SUMMARY ${path}: ${messageOf(error)}`];
  }
}

/** Both of them, for the report of an operation. @returns the report with the warnings of that */
export async function finishReport(
  report: OperationReport,
  metrics: MetricsFile | undefined,
  options: RepositoryOptions,
  context: CommandContext,
): Promise<OperationReport> {
  const counted = withWarnings(report, await writeMetrics(metrics, options, context));
  return withWarnings(counted, writeStepSummary(counted, context));
}

function withWarnings(report: OperationReport, warnings: readonly string[]): OperationReport {
  return warnings.length === 0 ? report : { ...report, warnings: [...report.warnings, ...warnings] };
}
