import { count, formatAge, formatBytes, renderTable } from "#/report/mod.ts";
import type { ReleaseList } from "#/repository/views.ts";
import type { Command, CommandContext } from "./command.ts";
import { runReading } from "./read.ts";
import { repositoryFlags } from "./repository_flags.ts";
import { paintState } from "./view_text.ts";

export const command: Command = {
  summary: "List published and rolled-back versions",
  options: repositoryFlags,
  examples: [
    { command: "backout release list -r /srv/releases", note: "newest first" },
    { command: "backout release list -r /srv/releases --json", note: "for scripts" },
  ],
  run: async (args, context) => {
    const { listReleases } = await import("#/mod/release.ts");
    return await runReading(args, context, { read: listReleases, text: (view) => textOf(view, context) });
  },
};

function textOf(view: ReleaseList, context: CommandContext): string {
  const { style } = context.printer;
  const now = new Date();
  const parts: string[] = [];
  if (view.releases.length === 0) parts.push("No releases are published.\n");
  else {
    const rows = view.releases.map((release) => [
      release.version,
      paintState(release.state, style),
      String(release.artifacts),
      release.size_bytes === null ? "" : formatBytes(release.size_bytes),
      formatAge(release.published_at, now),
      release.channels.join(", "),
    ]);
    parts.push(renderTable([["VERSION", "STATE", "FILES", "SIZE", "PUBLISHED", "CHANNELS"], ...rows], {
      style,
      width: context.stdoutWidth,
      right: [2, 3],
    }));
  }
  if (view.rolled_back.length > 0) {
    const rows = view.rolled_back.map((tombstone) => [
      tombstone.version,
      paintState(tombstone.state, style),
      formatAge(tombstone.rolled_back_at, now),
      tombstone.by,
      tombstone.backup ?? "none",
      tombstone.reason,
    ]);
    parts.push(`\n${count(view.rolled_back.length, "version")} rolled back:\n`);
    parts.push(renderTable([["VERSION", "STATE", "WHEN", "BY", "BACKUP", "REASON"], ...rows], {
      style,
      width: context.stdoutWidth,
    }));
  }
  return parts.join("");
}
