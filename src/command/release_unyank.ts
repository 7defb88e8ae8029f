import { runChange } from "./change.ts";
import type { Command } from "./command.ts";
import { changeFlags, policyFlagsWithReason } from "./context.ts";

export const command: Command = {
  summary: "Take a yank back",
  description: "Make a yanked version an ordinary one again.",
  arguments: [{ name: "<version>", description: "the version" }],
  options: [...policyFlagsWithReason, ...changeFlags],
  examples: [
    {
      command: "backout release unyank v1.0.2 --reason 'licence was right' -r /srv/releases",
      note: "it may be picked up again",
    },
  ],
  run: async (args, context) => {
    const { unyankRelease } = await import("#/mod/release.ts");
    const [version = ""] = args.positionals;
    return await runChange(args, context, { operate: (options) => unyankRelease({ ...options, version }) });
  },
};
