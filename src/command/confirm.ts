import type { Command } from "./command.ts";
import { reasonedFlags } from "./workspace.ts";
import { runWorkspaceChange } from "./workspace_change.ts";

export const command: Command = {
  summary: "Let a restore stand that waits for it",
  description:
    "Let the restore stand that was begun with --confirm-within. Without it the restore is taken back when its time is " +
    "over.",
  options: reasonedFlags,
  examples: [
    { command: "backout confirm", note: "in a new session, to show that the server can still be reached" },
  ],
  run: async (args, context) => {
    const { confirmRestore } = await import("#/mod/snapshot.ts");
    return await runWorkspaceChange(args, context, { operate: confirmRestore });
  },
};
