import { count, formatBytes } from "#/report/mod.ts";
import type { VerifyResult } from "#/repository/views.ts";
import type { Command, CommandContext } from "./command.ts";
import { integrityCode, runReading } from "./read.ts";
import { repositoryFlags } from "./repository_flags.ts";
import { problemLines } from "./view_text.ts";
import { defined } from "./values.ts";

export const command: Command = {
  summary: "Check published files against their digests",
  description: "Read every published file, or those of one version, and compare size and digest with the " +
    "index's. Exit code 54 when something is missing or altered.",
  arguments: [{ name: "[version]", description: "only this version" }],
  options: repositoryFlags,
  examples: [
    { command: "backout release verify -r /srv/releases", note: "everything" },
    { command: "backout release verify v1.0.2 -r /srv/releases", note: "one version" },
  ],
  run: async (args, context) => {
    const { verifyReleases } = await import("#/mod/release.ts");
    const [version] = args.positionals;
    return await runReading(args, context, {
      read: (options) => verifyReleases({ ...options, ...defined({ version }) }),
      text: (view) => textOf(view, context),
      exitCode: (view) => integrityCode(view.problems),
    });
  },
};

function textOf(view: VerifyResult, context: CommandContext): string {
  const { style } = context.printer;
  const checked = `${count(view.releases_checked, "release")}, ${count(view.files_checked, "file")}, ` +
    `${formatBytes(view.bytes_checked)} checked`;
  const unknown = view.without_digest.length === 0
    ? ""
    : `Only presence was checked of ${view.without_digest.join(", ")}: the index gives no digests.\n`;
  const problems = view.problems.map(({ version, path, problem }) =>
    `${version}${path === null ? "" : `: ${path}`}: ${problem}`
  );
  return problemLines(checked, problems, style) + unknown;
}
