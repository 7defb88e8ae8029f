import type { Command } from "./command.ts";
import { reportFlags } from "./report_files.ts";
import { judgedFlags } from "./workspace.ts";
import { runWorkspaceChange } from "./workspace_change.ts";

export const command: Command = {
  summary: "Make the lock file of one environment that of another",
  description:
    "Copy what is locked for one environment to another; the old lock file of that one stays as .previous. Checkouts are left " +
    "alone: `backout component rollback --lock FILE` brings them there.",
  arguments: [
    { name: "<from>", description: "environment, for example staging" },
    { name: "<to>", description: "environment, for example prod" },
  ],
  options: [...reportFlags, ...judgedFlags],
  examples: [{ command: "backout lock promote staging prod", note: "what was tested goes to production" }],
  run: async (args, context) => {
    const { promoteLock } = await import("#/mod/component.ts");
    const [from = "", to = ""] = args.positionals;
    return await runWorkspaceChange(args, context, {
      operate: (options) => promoteLock({ ...options, from, to }),
    });
  },
};
