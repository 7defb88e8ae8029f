import { count, formatAge, formatBytes, renderTable } from "#/report/mod.ts";
import type { RetentionPlan } from "#/repository/views.ts";
import type { Command, CommandContext } from "./command.ts";
import { runReading } from "./read.ts";
import { repositoryFlags } from "./repository_flags.ts";
import { retentionFlags, retentionRules } from "./retention_flags.ts";

export const command: Command = {
  summary: "Show which backups the rules keep, and why",
  description: "Show for each backup whether it stays or goes by the rules, and why. Nothing is deleted. " +
    "A backup goes when no keep rule keeps it; without any keep rule all stay, up to the size limits.",
  options: [...retentionFlags, ...repositoryFlags],
  examples: [
    { command: "backout retention plan -r /srv/releases", note: "by the rules of backout.yaml" },
    {
      command: "backout retention plan -r /srv/releases --keep-last 10 --keep-within 90d",
      note: "by these rules",
    },
  ],
  run: async (args, context) => {
    const { planRetention } = await import("#/mod/release.ts");
    const rules = await retentionRules(args.options, context);
    return await runReading(args, context, {
      read: (options) => planRetention({ ...options, rules }),
      text: (view) => textOf(view, context),
    });
  },
};

function textOf(view: RetentionPlan, context: CommandContext): string {
  const { style } = context.printer;
  const warnings = view.warnings.map((warning) => `${style.yellow(`Warning: ${warning}`)}\n`).join("");
  return [table(view, context), totals(view), history(view), warnings].join("");
}

function table({ backups, at }: RetentionPlan, context: CommandContext): string {
  if (backups.length === 0) return "No backups yet.\n";
  const { style } = context.printer;
  const now = new Date(at);
  const rows = backups.map(({ id, created_at, bytes, action, reasons }) => [
    id,
    action === "delete" ? { text: action, paint: style.yellow } : action,
    formatAge(created_at, now),
    formatBytes(bytes),
    reasons.join("; "),
  ]);
  return renderTable([["BACKUP", "ACTION", "MADE", "SIZE", "WHY"], ...rows], {
    style,
    width: context.stdoutWidth,
    right: [3],
  });
}

function totals(view: RetentionPlan): string {
  const { keep, delete: gone } = view;
  if (keep.backups + gone.backups === 0) return "";
  const words = (part: RetentionPlan["keep"]) =>
    `${count(part.backups, "backup")} (${formatBytes(part.bytes)})`;
  return `\nkeep ${words(keep)}, delete ${words(gone)}\n`;
}

function history({ history: { records, delete: gone, up_to } }: RetentionPlan): string {
  if (up_to === null) return "";
  return `delete ${gone} of ${count(records, "history record")}: those up to ${up_to.at}\n`;
}
