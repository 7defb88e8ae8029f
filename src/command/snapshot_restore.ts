import { resolve } from "node:path";
import { UsageError } from "#/core/errors.ts";
import type { RestoreSnapshotOptions, WorkspaceOptions } from "#/snapshot/options.ts";
import { checksFlag, chosenChecks } from "./check_flags.ts";
import type { Command, CommandContext, OptionValues } from "./command.ts";
import { reportFlags } from "./report_files.ts";
import { defined, flagOption, listOption, parseDuration, textOption } from "./values.ts";
import { judgedFlags, namedSnapshotArgument, targetFlag } from "./workspace.ts";
import { runWorkspaceChange } from "./workspace_change.ts";

export const command: Command = {
  summary: "Go back to a snapshot",
  description:
    "Bring targets back to what they were, all or nothing: a failure at one target takes the others back. The state " +
    "before is kept as a snapshot of its own, so that a restore can be taken back. Asks first on a terminal, and shows " +
    "what would be written and removed; needs --yes elsewhere.",
  arguments: [namedSnapshotArgument],
  options: [
    targetFlag,
    {
      flags: "--path <path>",
      description: "only this file or folder of a target (repeatable)",
      repeat: true,
    },
    {
      flags: "--to <dir>",
      description: "put it into this folder instead; the targets stay",
      completes: "folder",
    },
    checksFlag,
    { flags: "--no-checks", description: "check nothing afterwards" },
    {
      flags: "--rollback-on-failure",
      description: "take the restore back when a required check fails (default: exit 51)",
    },
    {
      flags: "--confirm-within <duration>",
      description:
        "take the restore back unless `backout confirm` comes in this time, also when the session is lost",
      completes: "none",
    },
    {
      flags: "--discard-changes",
      description: "go on although uncommitted work would be lost; the snapshot of the state before has it",
    },
    { flags: "--auto-confirm", description: "same as --yes" },
    ...reportFlags,
    ...judgedFlags,
  ],
  examples: [
    { command: "backout snapshot restore latest --dry-run", note: "see what would be written and removed" },
    { command: "backout snapshot restore rb-0a1b2c3d4e5f --yes --rollback-on-failure", note: "in a script" },
    {
      command: "backout snapshot restore last-good --confirm-within 60s",
      note: "over a session that the restore may cut off",
    },
    {
      command: "backout snapshot restore latest --path /etc/app/config.yml --to /tmp/look",
      note: "one file, somewhere else",
    },
  ],
  run: async (args, context) => {
    const { restoreSnapshot } = await import("#/mod/snapshot.ts");
    const [snapshot = ""] = args.positionals;
    const { options: values } = args;
    const restore = restoreOf(values, context);
    const asking = flagOption(values, "autoConfirm")
      ? { ...context, globals: { ...context.globals, yes: true } }
      : context;
    return await runWorkspaceChange(args, asking, {
      // Nothing that is there is replaced or removed by an export.
      ...(restore.to === undefined ? { destructive: `Restoring ${snapshot}` } : {}),
      operate: async (options) =>
        restoreSnapshot({
          ...options,
          ...restore,
          snapshot,
          checks: await checksOf(values, context, options),
        }),
    });
  },
};

type RestoreChoice = Omit<RestoreSnapshotOptions, keyof WorkspaceOptions | "snapshot">;

function restoreOf(values: OptionValues, context: CommandContext): RestoreChoice {
  const only = listOption(values, "target");
  const paths = listOption(values, "path").map((path) => resolve(context.cwd, path));
  const to = textOption(values, "to");
  const within = textOption(values, "confirmWithin");
  if (to !== undefined && within !== undefined) {
    throw new UsageError("--to changes no target: there is nothing to confirm", {
      hint: "Leave out --confirm-within.",
    });
  }
  return defined({
    only: only.length === 0 ? undefined : only,
    paths: paths.length === 0 ? undefined : paths,
    to: to === undefined ? undefined : resolve(context.cwd, to),
    discardChanges: flagOption(values, "discardChanges") || undefined,
    rollbackOnFailure: flagOption(values, "rollbackOnFailure") || undefined,
    confirmWithinMs: within === undefined ? undefined : parseDuration(within, "--confirm-within"),
  });
}

async function checksOf(
  values: OptionValues,
  context: CommandContext,
  options: WorkspaceOptions,
): Promise<WorkspaceOptions["checks"]> {
  if (values.checks === false || textOption(values, "to") !== undefined) return [];
  return await chosenChecks(values, context, options);
}
