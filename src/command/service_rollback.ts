import { checksFlag, chosenChecks } from "./check_flags.ts";
import type { Command } from "./command.ts";
import { reportFlags } from "./report_files.ts";
import { defined, flagOption, textOption } from "./values.ts";
import { judgedFlags } from "./workspace.ts";
import { runWorkspaceChange } from "./workspace_change.ts";

export const command: Command = {
  summary: "Take one service of a stack back to another image",
  description:
    "Make the containers of one service again from the image that it had in the last snapshot, or from one that is " +
    "named, and see that it works. Its volumes, the configuration files and all other services stay as they are. Where " +
    "it does not work, the state before comes back (43). Asks first on a terminal; needs --yes elsewhere.",
  arguments: [
    { name: "<service>", description: "its name in the compose file" },
    {
      name: "[image]",
      description:
        "a tag of its image, a whole reference, an id or a digest (default: as in the last snapshot)",
    },
  ],
  options: [
    {
      flags: "--target <name>",
      description: "the stack, where backout.yaml has several",
      completes: "none",
    },
    checksFlag,
    {
      flags: "--rollback-on-failure",
      description: "take it back too when a required check fails (default: exit 51)",
    },
    { flags: "--auto-confirm", description: "same as --yes" },
    ...reportFlags,
    ...judgedFlags,
  ],
  examples: [
    { command: "backout service rollback api --dry-run", note: "which image, and what is made again" },
    { command: "backout service rollback api --yes", note: "as in the last snapshot" },
    { command: "backout service rollback api v1.5 --yes", note: "the same image with this tag" },
  ],
  run: async (args, context) => {
    const { rollBackService } = await import("#/mod/service.ts");
    const { options: values, positionals: [service = "", image] } = args;
    const asking = flagOption(values, "autoConfirm")
      ? { ...context, globals: { ...context.globals, yes: true } }
      : context;
    return await runWorkspaceChange(args, asking, {
      destructive: `Rolling ${service} back`,
      operate: async (options) =>
        rollBackService({
          ...options,
          service,
          checks: await chosenChecks(values, context, options),
          ...defined({
            image,
            target: textOption(values, "target"),
            rollbackOnFailure: flagOption(values, "rollbackOnFailure") || undefined,
          }),
        }),
    });
  },
};
