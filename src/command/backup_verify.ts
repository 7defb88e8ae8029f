import { count, formatBytes } from "#/report/mod.ts";
import type { BackupVerifyResult } from "#/repository/views.ts";
import type { Command, CommandContext } from "./command.ts";
import { integrityCode, runReading } from "./read.ts";
import { repositoryFlags } from "./repository_flags.ts";
import { problemLines } from "./view_text.ts";
import { defined, flagOption } from "./values.ts";

export const command: Command = {
  summary: "Check backups: presence and sizes, or every byte",
  description:
    "Check that each backup holds what its manifest says. Exit code 54 when something is missing or altered.",
  arguments: [{ name: "[id]", description: "only this backup (backup, rollback id, or version)" }],
  options: [
    { flags: "--read-data", description: "read every byte and compare digests" },
    ...repositoryFlags,
  ],
  examples: [
    { command: "backout backup verify -r /srv/releases", note: "all backups, presence and sizes" },
    { command: "backout backup verify v1.0.2 --read-data -r /srv/releases", note: "one backup, every byte" },
  ],
  run: async (args, context) => {
    const { verifyBackups } = await import("#/mod/release.ts");
    const [backup] = args.positionals;
    const readData = flagOption(args.options, "readData");
    return await runReading(args, context, {
      read: (options) => verifyBackups({ ...options, ...defined({ backup }), readData }),
      text: (view) => textOf(view, context),
      exitCode: (view) => integrityCode(view.flatMap((one) => one.problems)),
    });
  },
};

function textOf(results: readonly BackupVerifyResult[], context: CommandContext): string {
  if (results.length === 0) return "No backups yet.\n";
  return results.map((result) => {
    const how = result.read_data ? "every byte" : "presence and sizes";
    const checked = `${result.backup}: ${count(result.files_checked, "file")}, ` +
      `${formatBytes(result.bytes_checked)}, ${how}`;
    const problems = result.problems.map(({ path, problem }) =>
      path === null ? problem : `${path}: ${problem}`
    );
    return problemLines(checked, problems, context.printer.style);
  }).join("");
}
