import type { Command } from "./command.ts";
import { entryFlags, runEntries } from "./entry_run.ts";
import { statsText } from "./store_stats.ts";

export const command: Command = {
  summary: "Show how much the cache holds",
  description: "Count cached builds and their bytes, of each component and of the whole store.",
  options: entryFlags,
  examples: [{ command: "backout cache stats --json", note: "for a dashboard" }],
  run: async (args, context) => {
    const { entryStats } = await import("#/mod/entries.ts");
    return await runEntries(args, context, {
      hasDryRun: true,
      work: (options) => entryStats({ ...options, kind: "cache" }),
      text: (view) => statsText(view, context),
    });
  },
};
