import { changesetArgument } from "./changeset_show.ts";
import type { Command } from "./command.ts";
import { endOptions, takeBackFlags } from "./component_flags.ts";
import { defined, flagOption } from "./values.ts";
import { runWorkspaceChange } from "./workspace_change.ts";

export const command: Command = {
  summary: "Take back a change that went through several repositories",
  description:
    "Revert all commits of a changeset, the last one first, in every repository or in none. Conflicts are found before anything " +
    "is touched. Its status becomes rolled-back. Nothing is pushed without --push. Asks first on a terminal; needs --yes elsewhere.",
  arguments: [changesetArgument],
  options: [
    {
      flags: "--hard",
      description: "reset the branches to before it; refused (41) where that drops other commits",
    },
    {
      flags: "--push",
      description: "push the branches when all is done, with a lease; pushed back when one is refused",
    },
    ...takeBackFlags,
  ],
  examples: [
    {
      command: "backout changeset rollback abc12345 --dry-run",
      note: "see what would change, and find conflicts",
    },
    { command: "backout changeset rollback abc12345 --yes --push", note: "everywhere, also on the remotes" },
  ],
  run: async (args, context) => {
    const { rollbackChangeset } = await import("#/mod/component.ts");
    const [changeset = ""] = args.positionals;
    const { options: values } = args;
    return await runWorkspaceChange(args, context, {
      destructive: `Rolling back the changeset ${changeset}`,
      operate: async (options) =>
        rollbackChangeset({
          ...options,
          ...await endOptions(values, context, options),
          ...defined({
            hard: flagOption(values, "hard") || undefined,
            push: flagOption(values, "push") || undefined,
          }),
          changeset,
        }),
    });
  },
};
