import { UsageError } from "#/core/errors.ts";
import { quoteShort } from "#/core/safe_path.ts";
import type { WorkspaceOptions } from "#/snapshot/options.ts";
import type { TargetSpec } from "#/target/target.ts";
import type { Command, OptionValues } from "./command.ts";
import { lazyConfig } from "./context.ts";
import { reportFlags } from "./report_files.ts";
import { stackFlags, withStackFlags } from "./stack_flags.ts";
import { defined, listOption, textOption } from "./values.ts";
import { assertTargets, judgedFlags, targetFlag } from "./workspace.ts";
import { runWorkspaceChange } from "./workspace_change.ts";

const AD_HOC = "A target without a configuration:";

export const command: Command = {
  summary: "Keep what targets look like now",
  description:
    "Take a rollback point of the targets of backout.yaml: all of them or none is recorded. What did not change " +
    "since the last point is not read again. `backout snapshot restore` goes back to it. In a folder with a compose " +
    "file and no backout.yaml, the target is that stack of containers.",
  arguments: [{ name: "[description]", description: 'what it is for: "before v2.0"' }],
  options: [
    {
      flags: "--id <id>",
      description: "id of the snapshot (default: rb- and 12 hex digits)",
      completes: "none",
    },
    targetFlag,
    {
      flags: "--label <key=value>",
      description: "a word of your own to find it by (repeatable)",
      repeat: true,
      completes: "none",
    },
    {
      flags: "--type <type>",
      description: "git_commit, configuration, file_system, database, infrastructure, container or command",
      completes: "none",
      group: AD_HOC,
    },
    {
      flags: "--set <key=value>",
      description: "a key of the target, as in backout.yaml; given twice it is a list (repeatable)",
      repeat: true,
      completes: "none",
      group: AD_HOC,
    },
    ...stackFlags,
    ...reportFlags,
    ...judgedFlags,
  ],
  examples: [
    { command: "backout snapshot create 'before v2.0'", note: "all targets of the nearest backout.yaml" },
    {
      command: "backout snapshot create 'before v2.0' --include-volumes",
      note: "a compose stack with its data, in the folder of its compose file",
    },
    {
      command: "backout snapshot create 'before the migration' --target db --target config",
      note: "some of them",
    },
    {
      command: "backout snapshot create --type file_system --set paths=/var/lib/app --set paths=/etc/app",
      note: "without a configuration",
    },
  ],
  run: async (args, context) => {
    const { createSnapshot } = await import("#/mod/snapshot.ts");
    const { options: values } = args;
    const only = listOption(values, "target");
    const config = await lazyConfig(context)();
    const own = defined({
      description: args.positionals[0],
      id: textOption(values, "id"),
      only: only.length === 0 ? undefined : only,
      labels: labelsOf(values),
      retention: config?.snapshots?.retention,
    });
    return await runWorkspaceChange(args, context, {
      check: (options) => {
        if (textOption(values, "type") === undefined) assertTargets(options);
      },
      operate: async (options) => {
        const adHoc = await adHocOf(values, context.cwd, options);
        const targets = adHoc === undefined ? options.targets : [adHoc];
        const chosen = await withStackFlags({ ...options, targets }, values);
        return await createSnapshot(
          adHoc === undefined ? { ...chosen, ...own } : { ...options, ...own, adHoc: chosen.targets[0]! },
        );
      },
    });
  },
};

/** The target of `--type` and `--set`, undefined where there is none. @throws {UsageError} */
export async function adHocOf(
  values: OptionValues,
  cwd: string,
  options: WorkspaceOptions,
): Promise<TargetSpec | undefined> {
  const type = textOption(values, "type");
  const settings = listOption(values, "set");
  if (type === undefined) {
    if (settings.length === 0) return undefined;
    throw new UsageError("--set goes with --type", { hint: "Add --type file_system, for example." });
  }
  if (listOption(values, "target").length > 0) {
    throw new UsageError("--target names a target of the configuration, --type one of its own", {
      hint: "Give one of them.",
    });
  }
  const { adHocTarget } = await import("#/mod/plugin.ts");
  return await adHocTarget({ type, settings, folder: cwd, env: options.env });
}

function labelsOf(values: OptionValues): Readonly<Record<string, string>> | undefined {
  const labels = listOption(values, "label").map((label): [string, string] => {
    const at = label.indexOf("=");
    if (at > 0) return [label.slice(0, at), label.slice(at + 1)];
    throw new UsageError(`Cannot use ${quoteShort(label)} for --label: it is not KEY=VALUE`);
  });
  return labels.length === 0 ? undefined : Object.fromEntries(labels);
}
