import { runChange } from "./change.ts";
import type { Command } from "./command.ts";
import { changeFlags, reasonFlag } from "./context.ts";

export const command: Command = {
  summary: "Delete a backup for good",
  description:
    "Delete a backup for good: its rollback cannot be undone any more. Asks first on a terminal; " +
    "needs --yes elsewhere. A pinned backup is refused.",
  arguments: [{ name: "<id>", description: "backup, rollback id, or version (its newest backup)" }],
  options: [reasonFlag, ...changeFlags],
  examples: [
    { command: "backout backup delete v1.0.2 -r /srv/releases --dry-run", note: "see what would be lost" },
    { command: "backout backup delete v1.0.2 -r /srv/releases --yes", note: "from a script" },
  ],
  run: async (args, context) => {
    const { deleteBackup } = await import("#/mod/release.ts");
    const [backup = ""] = args.positionals;
    return await runChange(args, context, {
      destructive: "Deleting a backup for good",
      operate: (options) => deleteBackup({ ...options, backup }),
    });
  },
};
