import { ExitCode } from "#/core/errors.ts";
import { count, formatBytes } from "#/report/mod.ts";
import type { StatusView } from "#/repository/views.ts";
import { flaggedMetricsFile, metricsOutput, writeMetrics } from "./aftermath.ts";
import type { Command, CommandContext, ParsedArguments } from "./command.ts";
import { metricsFlag, repositoryOptions } from "./context.ts";
import { printView, runReading } from "./read.ts";
import { checkOutputPaths } from "./report_files.ts";
import { repositoryFlags } from "./repository_flags.ts";
import { workspaceText } from "./status_workspace.ts";
import { madePlaces, workspaceFlags, workspaceOptions } from "./workspace.ts";
import { writeWorkspaceMetrics } from "./workspace_metrics.ts";
import { describeLock, factLines, timeAndAge } from "./view_text.ts";

export const command: Command = {
  summary: "Show the repository at a glance",
  description:
    "Show the repository at a glance, and the workspace of the configuration: how often snapshots are taken and " +
    "restored, how it went, and what they take up.",
  options: [...repositoryFlags, ...workspaceFlags, metricsFlag],
  examples: [
    { command: "backout status -r /srv/releases", note: "releases, channels, backups, lock, last operation" },
    { command: "backout status --json", note: "all that the nearest backout.yaml names, for monitoring" },
  ],
  run: async (args, context) => {
    const places = await madePlaces(args.options, context);
    if (!places.workspace) return await showRepository(args, context);
    const { repositoryStatus } = await import("#/mod/release.ts");
    const { workspaceStatus } = await import("#/mod/snapshot.ts");
    const options = await workspaceOptions(args.options, context);
    const metrics = flaggedMetricsFile(args.options, context);
    checkOutputPaths(metricsOutput(metrics), options.folder);
    const repository = places.repository
      ? await repositoryStatus(await repositoryOptions(args.options, context))
      : undefined;
    const workspace = await workspaceStatus(options);
    warn(await writeWorkspaceMetrics(metrics, options, context), context);
    printView(
      { ...repository, workspace },
      () => `${repository === undefined ? "" : `${textOf(repository)}\n`}${workspaceText(workspace)}`,
      context,
    );
    return ExitCode.done;
  },
};

async function showRepository(args: ParsedArguments, context: CommandContext): Promise<ExitCode> {
  const { repositoryStatus } = await import("#/mod/release.ts");
  const metrics = flaggedMetricsFile(args.options, context);
  return await runReading(args, context, {
    read: async (options) => {
      checkOutputPaths(metricsOutput(metrics), options.repository);
      const view = await repositoryStatus(options);
      warn(await writeMetrics(metrics, options, context), context);
      return view;
    },
    text: textOf,
  });
}

function warn(warnings: readonly string[], { printer }: CommandContext): void {
  for (const warning of warnings) printer.error(printer.style.yellow(`Warning: ${warning}`));
}

const UNKNOWN = "unknown: this user may not read backout's own folders; run it as the repository's owner";

function textOf(view: StatusView): string {
  const now = new Date();
  const channels = Object.entries(view.channels).map(([name, version]) => `${name} → ${version}`);
  const last = view.last_operation;
  return factLines([
    ["Repository", `${view.repository} (${view.repository_type})`],
    ["Index", `serial ${view.serial}, last written ${timeAndAge(view.last_updated, now)}`],
    ["Releases", `${view.releases} published, ${view.rolled_back} rolled back`],
    ["Channels", channels.length === 0 ? "none" : channels.join(", ")],
    ["Backups", backups(view)],
    ["Lock", view.lock === null ? (view.closed ? UNKNOWN : "free") : describeLock(view.lock, now)],
    ...view.unfinished.map((one): readonly [string, string] => [
      "Unfinished",
      `${one.operation} ${one.id}, ${
        one.committed ? "will be finished" : "will be taken back"
      }: run \`backout recover\``,
    ]),
    [
      "Last operation",
      last === null
        ? (view.closed ? UNKNOWN : "none")
        : `${last.summary} (${last.status}, ${timeAndAge(last.finished_at, now)})`,
    ],
    ["Operations", recent(view)],
    ["Notifications", waiting(view, now)],
    ["Free space", view.free_bytes === null ? undefined : formatBytes(view.free_bytes)],
  ]);
}

function backups({ backups, backup_bytes }: StatusView): string {
  if (backups === null) return UNKNOWN;
  return backups === 0 || backup_bytes === null
    ? String(backups)
    : `${backups}, ${formatBytes(backup_bytes)}`;
}

/** `in the last 30 days: 12 done, 1 denied`. */
function recent({ recent_operations: recent }: StatusView): string {
  if (recent === null) return UNKNOWN;
  const { days, success, partial, denied, failed, dry_run } = recent;
  const parts = [
    [success, "done"],
    [partial, "done with a failed check"],
    [denied, "denied"],
    [failed, "failed"],
    [dry_run, dry_run === 1 ? "dry run" : "dry runs"],
  ] as const;
  const shown = parts.filter(([number]) => number > 0).map(([number, words]) => `${number} ${words}`);
  return `${shown.length === 0 ? "none" : shown.join(", ")} in the last ${days} days`;
}

/** Nothing where nothing waits: most repositories tell nobody. */
function waiting({ waiting_notifications: waiting }: StatusView, now: Date): string | undefined {
  if (waiting === null || waiting.messages === 0) return undefined;
  const since = timeAndAge(waiting.oldest, now);
  return `${count(waiting.messages, "message")} waiting since ${since}: run \`backout notify flush\``;
}
