import { runChange } from "./change.ts";
import type { Command } from "./command.ts";
import { changeFlags, reasonFlag } from "./context.ts";

export const command: Command = {
  summary: "Protect a backup from deletion",
  arguments: [{ name: "<id>", description: "backup, rollback id, or version (its newest backup)" }],
  options: [reasonFlag, ...changeFlags],
  examples: [
    {
      command: "backout backup pin v1.0.2 --reason 'needed for the audit' -r /srv/releases",
      note: "keep it whatever happens",
    },
  ],
  run: async (args, context) => {
    const { pinBackup } = await import("#/mod/release.ts");
    const [backup = ""] = args.positionals;
    return await runChange(args, context, { operate: (options) => pinBackup({ ...options, backup }) });
  },
};
