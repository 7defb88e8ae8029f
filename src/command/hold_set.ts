import { runChange } from "./change.ts";
import type { Command } from "./command.ts";
import { changeFlags, reasonFlag } from "./context.ts";

export const command: Command = {
  summary: "Stop publishes and channel moves",
  description: "Stop publishes and channel moves until the hold is released; rollbacks and restores go on.",
  arguments: [{ name: "<name>", description: "a name of your choice, for example incident-42" }],
  options: [{ ...reasonFlag, required: true }, ...changeFlags],
  examples: [
    {
      command: "backout hold set incident-42 --reason 'login is down, ask ops' -r /srv/releases",
      note: "nobody publishes until it is released",
    },
  ],
  run: async (args, context) => {
    const { setHold } = await import("#/mod/release.ts");
    const [hold = ""] = args.positionals;
    return await runChange(args, context, { operate: (options) => setHold({ ...options, hold }) });
  },
};
