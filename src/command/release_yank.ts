import { runChange } from "./change.ts";
import type { Command } from "./command.ts";
import { changeFlags, policyFlagsWithReason } from "./context.ts";

export const command: Command = {
  summary: "Mark a version so that nobody picks it up anew",
  description:
    "Keep a version's files where they are, but mark it so that nobody picks it up anew. Reversible: `backout release unyank`.",
  arguments: [{ name: "<version>", description: "the version" }],
  options: [...policyFlagsWithReason, ...changeFlags],
  examples: [
    {
      command: "backout release yank v1.0.2 --reason 'wrong licence file' -r /srv/releases",
      note: "stop new installs, keep the files",
    },
  ],
  run: async (args, context) => {
    const { yankRelease } = await import("#/mod/release.ts");
    const [version = ""] = args.positionals;
    return await runChange(args, context, { operate: (options) => yankRelease({ ...options, version }) });
  },
};
