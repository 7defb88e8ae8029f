import { runChange } from "./change.ts";
import type { Command } from "./command.ts";
import { changeFlags, reasonFlag } from "./context.ts";

export const command: Command = {
  summary: "Take a pin away",
  arguments: [{ name: "<id>", description: "backup, rollback id, or version (its newest backup)" }],
  options: [reasonFlag, ...changeFlags],
  examples: [
    { command: "backout backup unpin v1.0.2 -r /srv/releases", note: "it may be deleted again" },
  ],
  run: async (args, context) => {
    const { unpinBackup } = await import("#/mod/release.ts");
    const [backup = ""] = args.positionals;
    return await runChange(args, context, { operate: (options) => unpinBackup({ ...options, backup }) });
  },
};
