import type { Command } from "./command.ts";
import { entryTable } from "./entry_list.ts";
import { entryFlags, runEntries } from "./entry_run.ts";

export const command: Command = {
  summary: "List cached builds, newest first",
  description: "List what was built and kept, of one component or of all.",
  arguments: [{ name: "[component]", description: "only this one" }],
  options: entryFlags,
  examples: [{ command: "backout cache list user-api", note: "with their keys" }],
  run: async (args, context) => {
    const { listAllEntries } = await import("#/mod/entries.ts");
    const [component] = args.positionals;
    return await runEntries(args, context, {
      hasDryRun: true,
      work: (options) =>
        listAllEntries({ ...options, kind: "cache", filter: component === undefined ? {} : { component } }),
      text: (view) => entryTable(view, context, "KEY"),
    });
  },
};
