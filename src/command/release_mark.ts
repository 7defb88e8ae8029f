import { runChange } from "./change.ts";
import type { Command } from "./command.ts";
import { changeFlags, policyFlagsWithReason } from "./context.ts";

export const command: Command = {
  summary: "Mark a version good or bad",
  description: "Say what is known about a version. Channels never go back to a version that is marked bad.",
  arguments: [
    { name: "<version>", description: "the version" },
    { name: "<verdict>", description: "what it is", choices: ["good", "bad"] },
  ],
  options: [...policyFlagsWithReason, ...changeFlags],
  examples: [
    {
      command: "backout release mark v1.0.1 bad --reason 'leaks memory' -r /srv/releases",
      note: "keep it, but never choose it for a channel",
    },
    {
      command: "backout release mark v1.0.0 good --reason 'ran for a month' -r /srv/releases",
      note: "remember a version that works",
    },
  ],
  run: async (args, context) => {
    const { markRelease } = await import("#/mod/release.ts");
    const [version = "", verdict] = args.positionals;
    const mark = { version, verdict: verdict === "good" ? "good" : "bad" } as const;
    return await runChange(args, context, { operate: (options) => markRelease({ ...options, ...mark }) });
  },
};
