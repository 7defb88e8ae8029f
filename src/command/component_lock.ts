import type { Command } from "./command.ts";
import { envFlag } from "./component_flags.ts";
import { reportFlags } from "./report_files.ts";
import { defined, textOption } from "./values.ts";
import { judgedFlags } from "./workspace.ts";
import { runWorkspaceChange } from "./workspace_change.ts";

export const command: Command = {
  summary: "Write what is checked out into a lock file",
  description:
    "Write version and commit of every component of the manifest into manifests/components.lock.yaml, or that of an environment. " +
    "The old one stays as components.lock[.ENV].previous.yaml; where nothing changed, nothing is written.",
  options: [envFlag, ...reportFlags, ...judgedFlags],
  examples: [
    { command: "backout component lock --env prod", note: "after a deployment that went well" },
    { command: "backout component lock --dry-run", note: "see what would change" },
  ],
  run: async (args, context) => {
    const { lockComponents } = await import("#/mod/component.ts");
    const environment = textOption(args.options, "env");
    return await runWorkspaceChange(args, context, {
      operate: (options) => lockComponents({ ...options, ...defined({ environment }) }),
    });
  },
};
