import type { Command } from "./command.ts";
import { entryTable } from "./entry_list.ts";
import { entryFlags, runEntries } from "./entry_run.ts";

export const command: Command = {
  summary: "List entries of the store, newest first",
  description:
    "List what is kept of one component, or of all: in this machine's store, in --remote, and in a .meta-store.",
  arguments: [{ name: "[component]", description: "only this one" }],
  options: entryFlags,
  examples: [
    { command: "backout store list", note: "everything" },
    {
      command: "backout store list user-api --remote s3://bucket/store",
      note: "of one component, also there",
    },
  ],
  run: async (args, context) => {
    const { listAllEntries } = await import("#/mod/entries.ts");
    const [component] = args.positionals;
    return await runEntries(args, context, {
      hasDryRun: true,
      work: (options) =>
        listAllEntries({ ...options, kind: "store", filter: component === undefined ? {} : { component } }),
      text: (view) => entryTable(view, context, "HASH"),
    });
  },
};
