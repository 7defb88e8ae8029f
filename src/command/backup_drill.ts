import { resolve } from "node:path";
import { count, formatBytes, formatDuration } from "#/report/mod.ts";
import type { DrillResult } from "#/repository/views.ts";
import type { Command, CommandContext } from "./command.ts";
import { integrityCode, runReading } from "./read.ts";
import { repositoryFlags } from "./repository_flags.ts";
import { problemLines } from "./view_text.ts";
import { defined, textOption } from "./values.ts";

export const command: Command = {
  summary: "Restore a backup into a scratch folder and compare",
  description: "Prove that a backup can be restored: copy it into a scratch folder and compare every byte. " +
    "The repository is not touched. Exit code 54 when something differs.",
  arguments: [{ name: "<id>", description: "backup, rollback id, or version (its newest backup)" }],
  options: [
    {
      flags: "--scratch <dir>",
      description: "keep the restored files here (default: a temporary folder, removed)",
      completes: "folder",
    },
    ...repositoryFlags,
  ],
  examples: [
    { command: "backout backup drill v1.0.2 -r /srv/releases", note: "before you need it" },
  ],
  run: async (args, context) => {
    const { drillBackup } = await import("#/mod/release.ts");
    const [backup = ""] = args.positionals;
    const folder = textOption(args.options, "scratch");
    const scratch = folder === undefined ? undefined : resolve(context.cwd, folder);
    return await runReading(args, context, {
      read: (options) => drillBackup({ ...options, backup, ...defined({ scratch }) }),
      text: (view) => textOf(view, context),
      exitCode: (view) => integrityCode(view.problems),
    });
  },
};

function textOf(view: DrillResult, context: CommandContext): string {
  const checked =
    `${view.backup}: ${count(view.restored, "file")}, ${formatBytes(view.bytes_checked)} restored into ` +
    `${view.scratch} and compared in ${formatDuration(view.seconds)}`;
  const problems = view.problems.map(({ path, problem }) => path === null ? problem : `${path}: ${problem}`);
  return problemLines(checked, problems, context.printer.style);
}
