import type { Command } from "./command.ts";
import { reasonedFlags, snapshotArgument } from "./workspace.ts";
import { runWorkspaceChange } from "./workspace_change.ts";

export const command: Command = {
  summary: "Delete a snapshot for good",
  description:
    "Delete a snapshot. Nothing can restore it afterwards; its space is free after `backout snapshot collect`. A " +
    "pinned one is refused. Asks first on a terminal; needs --yes elsewhere.",
  arguments: [snapshotArgument],
  options: reasonedFlags,
  examples: [
    { command: "backout snapshot delete rb-0a1b2c3d4e5f --dry-run", note: "see what would go" },
    { command: "backout snapshot delete rb-0a1b2c3d4e5f --yes", note: "in a script" },
  ],
  run: async (args, context) => {
    const { deleteSnapshot } = await import("#/mod/snapshot.ts");
    const [snapshot = ""] = args.positionals;
    return await runWorkspaceChange(args, context, {
      destructive: "Deleting a snapshot for good",
      operate: (options) => deleteSnapshot({ ...options, snapshot }),
    });
  },
};
