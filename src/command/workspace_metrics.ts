/** The numbers of a workspace for Prometheus, beside those of the repository that the same configuration names. */
import { messageOf } from "#/core/errors.ts";
import { writeOutputFile } from "#/core/output_file.ts";
import { renderSnapshotMetrics } from "#/report/mod.ts";
import type { WorkspaceOptions } from "#/snapshot/options.ts";
import type { MetricsFile } from "./aftermath.ts";
import type { CommandContext } from "./command.ts";
import { lazyConfig, repositoryOptions } from "./context.ts";
import { workspaceOptions } from "./workspace.ts";

/**
 * Writes the numbers to a temporary name and renames it: who collects them never sees half of them.
 * @returns warnings
 */
export async function writeWorkspaceMetrics(
  file: MetricsFile | undefined,
  options: WorkspaceOptions,
  context: CommandContext,
): Promise<readonly string[]> {
  if (file === undefined) return [];
  try {
    const text = await repositoryPart(file, context) + await workspaceMetrics(options);
    writeOutputFile(file.path, text);
    return [];
  } catch (error) {
    return [`Cannot write ${file.flag} ${file.path}: ${messageOf(error)}`];
  }
}

/** The numbers of the workspace alone. */
export async function workspaceMetrics(options: WorkspaceOptions): Promise<string> {
  const { signal: _stopped, onEvent: _silent, ...quiet } = options;
  const { snapshotNumbers } = await import("#/mod/snapshot.ts");
  return renderSnapshotMetrics({ workspace: options.folder, ...await snapshotNumbers(quiet) });
}

/** Those of the workspace that the configuration names; one that cannot be read is left out. */
export async function configuredWorkspaceMetrics(context: CommandContext): Promise<string> {
  try {
    return await workspaceMetrics(await workspaceOptions({}, context));
  } catch {
    return ""; // the commands on the workspace say what is wrong with it
  }
}

/** Of the repository that the configuration names; a repository that cannot be read is left out. */
async function repositoryPart(file: MetricsFile, context: CommandContext): Promise<string> {
  if (file.flag !== "metrics_file" || (await lazyConfig(context)())?.repository === undefined) return "";
  try {
    const { repositoryMetrics } = await import("#/mod/release.ts");
    const { signal: _stopped, onEvent: _silent, ...quiet } = await repositoryOptions({}, context);
    return await repositoryMetrics(quiet);
  } catch {
    return ""; // the commands on the repository say what is wrong with it
  }
}
