import { runChange } from "./change.ts";
import type { Command } from "./command.ts";
import { changeFlags, policyFlags } from "./context.ts";

export const command: Command = {
  summary: "Point a channel back at its previous version",
  description: "Point a channel back at the version it named before. Deletes nothing.",
  arguments: [{ name: "<name>", description: "the channel, for example stable" }],
  options: [...policyFlags, ...changeFlags],
  examples: [
    {
      command: "backout channel rollback stable --reason 'broken login' -r /srv/releases",
      note: "the quickest way out: no file moves",
    },
  ],
  run: async (args, context) => {
    const { rollbackChannel } = await import("#/mod/release.ts");
    const [channel = ""] = args.positionals;
    return await runChange(args, context, {
      operate: (options) => rollbackChannel({ ...options, channel }),
    });
  },
};
