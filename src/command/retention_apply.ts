import { runChange } from "./change.ts";
import type { Command } from "./command.ts";
import { changeFlags, reasonFlag } from "./context.ts";
import { retentionFlags, retentionRules } from "./retention_flags.ts";

export const command: Command = {
  summary: "Delete the backups that the rules let go of",
  description:
    "Delete for good what no rule keeps, oldest first: see `backout retention plan`. Never the newest backup, a " +
    "pinned one, or one that is still needed. Asks first on a terminal; needs --yes elsewhere. With nothing to do it " +
    "exits with 0 and leaves no trace, so that it can run every night.",
  options: [...retentionFlags, reasonFlag, ...changeFlags],
  examples: [
    { command: "backout retention apply -r /srv/releases --dry-run", note: "see what would be lost" },
    {
      command: "backout retention apply --config /etc/backout/backout.yaml --yes --lock-timeout 10m",
      note: "from a timer or cron",
    },
  ],
  run: async (args, context) => {
    const { applyRetention } = await import("#/mod/release.ts");
    const rules = await retentionRules(args.options, context);
    return await runChange(args, context, {
      destructive: "Deleting backups for good",
      operate: (options) => applyRetention({ ...options, rules }),
    });
  },
};
