import type { Command } from "./command.ts";
import { reportFlags } from "./report_files.ts";
import { snapshotRetentionFlags, snapshotRetentionRules } from "./retention_flags.ts";
import { flagOption } from "./values.ts";
import { judgedFlags } from "./workspace.ts";
import { runWorkspaceChange } from "./workspace_change.ts";

export const command: Command = {
  summary: "Delete the snapshots that the rules let go of",
  description:
    "Delete for good the snapshots of this workspace that no rule keeps, oldest first. --dry-run shows for each whether " +
    "it stays or goes, and why. Never the newest, the newest made by hand, the last good one, a pinned one, or one that " +
    "is still needed. Asks first on a terminal; needs --yes elsewhere. With nothing to do it exits with 0 and leaves no " +
    "trace, so that it can run every night.",
  options: [
    {
      flags: "--collect",
      description: "free their space in the store afterwards (`backout snapshot collect`)",
    },
    ...snapshotRetentionFlags,
    ...reportFlags,
    ...judgedFlags,
  ],
  examples: [
    { command: "backout snapshot prune --dry-run", note: "each snapshot with keep or delete, and why" },
    {
      command: "backout snapshot prune --keep-last 10 --keep-within 90d --dry-run",
      note: "by these rules",
    },
    {
      command: "backout snapshot prune --config /etc/backout/backout.yaml --yes --collect --lock-timeout 10m",
      note: "from a timer or cron",
    },
  ],
  run: async (args, context) => {
    const { assertSnapshotRules, pruneSnapshots } = await import("#/mod/snapshot.ts");
    const rules = await snapshotRetentionRules(args.options, context);
    const collect = flagOption(args.options, "collect");
    return await runWorkspaceChange(args, context, {
      destructive: "Deleting snapshots for good",
      check: ({ dryRun }) => {
        if (dryRun !== true) assertSnapshotRules(rules);
      },
      operate: (options) => pruneSnapshots({ ...options, rules, collect }),
    });
  },
};
