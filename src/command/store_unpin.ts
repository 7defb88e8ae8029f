import { visible } from "#/report/mod.ts";
import type { Command } from "./command.ts";
import { runEntries } from "./entry_run.ts";
import { workspaceFlags } from "./workspace.ts";

export const command: Command = {
  summary: "Take a pin away from an entry",
  description: "It stays as long as something else keeps it.",
  arguments: [{ name: "<hash>", description: "of the entry, or a unique beginning of it" }],
  options: workspaceFlags,
  examples: [{ command: "backout store unpin 3fa9c1d2", note: "see `backout store list`" }],
  run: async (args, context) => {
    const { pinEntry } = await import("#/mod/entries.ts");
    const [hash = ""] = args.positionals;
    return await runEntries(args, context, {
      work: (options) => pinEntry({ ...options, hash, pin: false }),
      text: ({ hash, component }) => `Unpinned ${hash.slice(0, 16)} (${visible(component)})\n`,
    });
  },
};
