import { runChange } from "./change.ts";
import type { Command } from "./command.ts";
import { changeFlags, policyFlags } from "./context.ts";

export const command: Command = {
  summary: "Point a channel at a version",
  description:
    "Point a channel at a published version; the channel is made where it does not exist. Deletes nothing.",
  arguments: [
    { name: "<name>", description: "the channel, for example stable" },
    { name: "<version>", description: "the version it names from now on" },
  ],
  options: [...policyFlags, ...changeFlags],
  examples: [
    { command: "backout channel set stable v1.0.2 -r /srv/releases", note: "stable names v1.0.2" },
  ],
  run: async (args, context) => {
    const { setChannel } = await import("#/mod/release.ts");
    const [channel = "", version = ""] = args.positionals;
    return await runChange(args, context, {
      operate: (options) => setChannel({ ...options, channel, version }),
    });
  },
};
