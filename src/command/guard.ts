import { UsageError } from "#/core/errors.ts";
import { checksFlag, chosenChecks } from "./check_flags.ts";
import type { Command, CommandContext } from "./command.ts";
import { lazyConfig } from "./context.ts";
import { reportFlags } from "./report_files.ts";
import { stackFlags, withStackFlags } from "./stack_flags.ts";
import { defined, listOption, textOption } from "./values.ts";
import { assertTargets, judgedFlags, targetFlag } from "./workspace.ts";
import { runWorkspaceChange } from "./workspace_change.ts";

export const command: Command = {
  summary: "Run a command, and take its changes back when it fails",
  description:
    "Take a snapshot, and run the command, then the checks. When the command or a required check fails, or a service of " +
    "a stack does not work, everything goes back to what it was, and the exit code is 56; otherwise the changes stand. " +
    "The snapshot is kept either way. With JSON on standard output, that of the command goes to standard error.",
  arguments: [{ name: "<command...>", description: "program and arguments, after --" }],
  options: [
    {
      flags: "--description <text>",
      description: "of the snapshot (default: the command)",
      completes: "none",
    },
    targetFlag,
    checksFlag,
    ...stackFlags,
    ...reportFlags,
    ...judgedFlags,
  ],
  examples: [
    { command: "backout guard -- ./deploy.sh v2.0", note: "back to before when the script fails" },
    {
      command: "backout guard --include-volumes -- docker compose up -d",
      note: "a deployment of a stack, and its data",
    },
    {
      command: "backout guard --description 'migration 42' --checks smoke.yaml -- ./migrate.sh",
      note: "and look whether it works again",
    },
  ],
  run: async (args, context) => {
    const { runGuard } = await import("#/mod/snapshot.ts");
    const { options: values, positionals: words } = args;
    if (words.length === 0 || words[0] === "") {
      throw new UsageError("No command was given to guard", {
        hint: "Put it after --: backout guard -- make deploy",
      });
    }
    const only = listOption(values, "target");
    const retention = (await lazyConfig(context)())?.snapshots?.retention;
    return await runWorkspaceChange(args, context, {
      check: assertTargets,
      operate: async (options) =>
        runGuard({
          ...await withStackFlags(options, values),
          command: words,
          cwd: context.cwd,
          commandOutput: printsDocument(context) ? "stderr" : "stdout",
          checks: await chosenChecks(values, context, options),
          ...defined({
            description: textOption(values, "description"),
            only: only.length === 0 ? undefined : only,
            retention,
          }),
        }),
    });
  },
};

/** Whether standard output is read by a program: what the command prints must not stand between. */
function printsDocument({ globals }: CommandContext): boolean {
  return globals.output === "json" || globals.events === "-";
}
