import { count, formatBytes, renderTable } from "#/report/mod.ts";
import type { ReleaseDetail } from "#/repository/views.ts";
import type { Command, CommandContext } from "./command.ts";
import { runReading } from "./read.ts";
import { repositoryFlags } from "./repository_flags.ts";
import { factLines, timeAndAge } from "./view_text.ts";

const MOST_FILES = 40;

export const command: Command = {
  summary: "Show one version: state, files, channels, backups",
  arguments: [{ name: "<version>", description: "the version" }],
  options: repositoryFlags,
  examples: [
    {
      command: "backout release show v1.0.2 -r /srv/releases",
      note: "also for a version that was rolled back",
    },
    { command: "backout release show v1.0.2 -r /srv/releases -v", note: "with all its files" },
  ],
  run: async (args, context) => {
    const { showRelease } = await import("#/mod/release.ts");
    const [version = ""] = args.positionals;
    return await runReading(args, context, {
      read: (options) => showRelease({ ...options, version }),
      text: (view) => textOf(view, context),
    });
  },
};

function textOf(view: ReleaseDetail, context: CommandContext): string {
  const now = new Date();
  const { entry, tombstone } = view;
  const facts = factLines([
    ["Version", view.version],
    ["State", view.state],
    ["Published", entry === null ? undefined : timeAndAge(entry.timestamp ?? null, now)],
    ["Size", entry?.size_bytes === undefined ? undefined : formatBytes(entry.size_bytes)],
    ["Digest", entry?.sha256],
    ["Channels", joined(view.channels)],
    ["Depends on", joined(entry?.depends_on ?? [])],
    ["Needed by", joined(view.dependents)],
    ["Yanked", entry?.yanked === undefined ? undefined : because(entry.yanked)],
    ["Marked", entry?.mark === undefined ? undefined : `${entry.mark.verdict}, ${because(entry.mark)}`],
    ["Rolled back", tombstone === null ? undefined : timeAndAge(tombstone.rolled_back_at, now)],
    ["By", tombstone?.by],
    ["Reason", tombstone?.reason],
    ["Rollback id", tombstone?.rollback_id],
    ["Backups", joined(view.backups)],
  ]);
  const shown = context.globals.verbose ? view.files : view.files.slice(0, MOST_FILES);
  const hidden = view.files.length - shown.length;
  if (shown.length === 0) return facts;
  const rows = shown.map((file) => [
    file.path,
    file.size === null ? "" : formatBytes(file.size),
    file.present ? "" : "not there",
  ]);
  const { style } = context.printer;
  const table = renderTable([["FILE", "SIZE", ""], ...rows], {
    style,
    width: context.stdoutWidth,
    right: [1],
  });
  return `${facts}\n${table}${hidden > 0 ? `and ${count(hidden, "more file")} (-v shows all)\n` : ""}`;
}

function joined(values: readonly string[]): string | undefined {
  return values.length === 0 ? undefined : values.join(", ");
}

function because(
  { at, by, reason }: { readonly at: string; readonly by: string; readonly reason: string },
): string {
  return `${at} by ${by}: ${reason}`;
}
