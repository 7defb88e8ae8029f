import { formatJson } from "#/core/json.ts";
import type { Command } from "./command.ts";
import { runReading } from "./read.ts";
import { repositoryFlags } from "./repository_flags.ts";
import { scopeOptions } from "./workspace.ts";

export const command: Command = {
  summary: "Show one operation",
  description: "Show everything that was recorded of one operation, as JSON.",
  arguments: [{ name: "<id>", description: "the operation's id" }],
  options: repositoryFlags,
  examples: [
    {
      command: "backout history show 01978f2a-0000-7000-8000-000000000000 -r /srv/releases",
      note: "ids are in `backout history`",
    },
  ],
  run: async (args, context) => {
    const { showHistory } = await import("#/mod/release.ts");
    const [id = ""] = args.positionals;
    return await runReading(args, context, {
      options: scopeOptions,
      read: (options) => showHistory({ ...options, id }),
      text: formatJson,
    });
  },
};
