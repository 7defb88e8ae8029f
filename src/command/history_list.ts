import { formatAge, renderTable } from "#/report/mod.ts";
import type { HistoryEntry } from "#/repository/views.ts";
import type { Command, CommandContext } from "./command.ts";
import { runReading } from "./read.ts";
import { repositoryFlags } from "./repository_flags.ts";
import { scopeOptions } from "./workspace.ts";
import { defined, parseCount, textOption } from "./values.ts";

export const command: Command = {
  summary: "List operations, newest first",
  description:
    "List what was done to the repository, newest first: also what was refused and what was only a dry run.",
  options: [
    { flags: "--limit <number>", description: "only the newest", completes: "none" },
    ...repositoryFlags,
  ],
  examples: [
    { command: "backout history -r /srv/releases --limit 10", note: "the last ten operations" },
    { command: "backout history list -r /srv/releases --json", note: "for scripts" },
  ],
  run: async (args, context) => {
    const { listHistory } = await import("#/mod/release.ts");
    const text = textOption(args.options, "limit");
    const limit = text === undefined ? undefined : parseCount(text, "--limit");
    return await runReading(args, context, {
      options: scopeOptions,
      read: (options) => listHistory({ ...options, ...defined({ limit }) }),
      text: (view) => textOf(view, context),
    });
  },
};

function textOf(entries: readonly HistoryEntry[], context: CommandContext): string {
  if (entries.length === 0) return "Nothing has been done here yet.\n";
  const now = new Date();
  const { style } = context.printer;
  const rows = entries.map((entry) => [
    entry.id,
    formatAge(entry.started_at, now),
    entry.operation,
    { text: entry.status, paint: entry.status === "failed" ? style.red : (text: string) => text },
    entry.by,
    entry.versions.join(", "),
    entry.reason,
  ]);
  return renderTable([["ID", "WHEN", "OPERATION", "STATUS", "BY", "VERSIONS", "REASON"], ...rows], {
    style,
    width: context.stdoutWidth,
  });
}
