import { runChange } from "./change.ts";
import type { Command } from "./command.ts";
import { changeFlags, reasonFlag } from "./context.ts";

export const command: Command = {
  summary: "Release a hold",
  arguments: [{ name: "<name>", description: "the hold, as `backout hold list` names it" }],
  options: [reasonFlag, ...changeFlags],
  examples: [
    { command: "backout hold release incident-42 -r /srv/releases", note: "publishes go on" },
  ],
  run: async (args, context) => {
    const { releaseHold } = await import("#/mod/release.ts");
    const [hold = ""] = args.positionals;
    return await runChange(args, context, { operate: (options) => releaseHold({ ...options, hold }) });
  },
};
