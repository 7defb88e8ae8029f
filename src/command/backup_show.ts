import { count, formatBytes, renderTable } from "#/report/mod.ts";
import type { BackupSummary } from "#/repository/views.ts";
import type { Command, CommandContext } from "./command.ts";
import { runReading } from "./read.ts";
import { repositoryFlags } from "./repository_flags.ts";
import { factLines, timeAndAge } from "./view_text.ts";

const MOST_FILES = 40;

export const command: Command = {
  summary: "Show what a backup holds",
  arguments: [{ name: "<id>", description: "backup, rollback id, or version (its newest backup)" }],
  options: repositoryFlags,
  examples: [
    { command: "backout backup show v1.0.2 -r /srv/releases", note: "the newest backup of a version" },
    { command: "backout backup show v1.0.2 -r /srv/releases --json", note: "with its whole manifest" },
  ],
  run: async (args, context) => {
    const { showBackup } = await import("#/mod/release.ts");
    const [backup = ""] = args.positionals;
    return await runReading(args, context, {
      read: (options) => showBackup({ ...options, backup }),
      text: (view) => textOf(view, context),
    });
  },
};

type BackupDetail = BackupSummary & {
  readonly files: readonly { readonly path: string; readonly size: number }[];
};

function textOf(view: BackupDetail, context: CommandContext): string {
  const facts = factLines([
    ["Backup", view.id],
    ["Version", view.version],
    ["Made", timeAndAge(view.created_at, new Date())],
    ["Type", view.rollback_type],
    ["Rollback id", view.rollback_id],
    ["Reason", view.reason],
    ["Size", view.bytes === null ? undefined : formatBytes(view.bytes)],
    ["Pinned", view.pinned ? "yes" : "no"],
    ["Manifest", view.has_manifest ? "yes" : "none (made by another tool; it can be restored)"],
    ["Restore it", `backout release restore ${view.rollback_id ?? view.id}`],
  ]);
  const shown = context.globals.verbose ? view.files : view.files.slice(0, MOST_FILES);
  const hidden = view.files.length - shown.length;
  if (shown.length === 0) return `${facts}\nIt holds no files.\n`;
  const rows = shown.map((file) => [file.path, formatBytes(file.size)]);
  const { style } = context.printer;
  const table = renderTable([["FILE", "SIZE"], ...rows], { style, width: context.stdoutWidth, right: [1] });
  return `${facts}\n${table}${hidden > 0 ? `and ${count(hidden, "more file")} (-v shows all)\n` : ""}`;
}
