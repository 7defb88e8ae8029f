import { formatAge, formatBytes, renderTable } from "#/report/mod.ts";
import type { BackupSummary } from "#/repository/views.ts";
import type { Command, CommandContext } from "./command.ts";
import { runReading } from "./read.ts";
import { repositoryFlags } from "./repository_flags.ts";

export const command: Command = {
  summary: "List backups",
  options: repositoryFlags,
  examples: [
    { command: "backout backup list -r /srv/releases", note: "newest first" },
    { command: "backout backup list -r /srv/releases --json", note: "for scripts" },
  ],
  run: async (args, context) => {
    const { listBackups } = await import("#/mod/release.ts");
    return await runReading(args, context, { read: listBackups, text: (view) => textOf(view, context) });
  },
};

function textOf(backups: readonly BackupSummary[], context: CommandContext): string {
  if (backups.length === 0) return "No backups yet.\n";
  const now = new Date();
  const rows = backups.map((backup) => [
    backup.id,
    backup.version,
    backup.rollback_type ?? "unknown",
    formatAge(backup.created_at, now),
    backup.artifacts === null ? "" : String(backup.artifacts),
    backup.bytes === null ? "" : formatBytes(backup.bytes),
    backup.pinned ? "pinned" : "",
  ]);
  const { style } = context.printer;
  return renderTable([["BACKUP", "VERSION", "TYPE", "MADE", "FILES", "SIZE", ""], ...rows], {
    style,
    width: context.stdoutWidth,
    right: [4, 5],
  });
}
