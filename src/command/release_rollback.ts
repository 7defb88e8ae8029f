import { resolve } from "node:path";
import { UsageError } from "#/core/errors.ts";
import type { RollbackOptions } from "#/repository/options.ts";
import type { RollbackType } from "#/report/model.ts";
import { runChange } from "./change.ts";
import type { Command, OptionValues, ParsedArguments } from "./command.ts";
import { changeFlags, policyFlags } from "./context.ts";
import { reportFlags } from "./report_files.ts";
import type { OutputPath } from "./report_files.ts";
import { savePlan } from "./save_plan.ts";
import { defined, eitherOption, flagOption, listOption, textOption } from "./values.ts";

const TYPES = ["full", "artifacts_only", "index_only"] as const satisfies readonly RollbackType[];

export const command: Command = {
  summary: "Take a version out and keep it in a backup",
  description:
    "Take a version out of the index and move its files into a backup. All or nothing: after any end of the " +
    "process the repository is as before or as after. `backout release restore` takes it back.",
  arguments: [{ name: "[version]", description: "the version to take out" }],
  options: [
    { flags: "--version <version>", description: "the version to take out, as an option", completes: "none" },
    {
      flags: "--to <version>",
      description: "take out everything newer than this; asks first",
      completes: "none",
    },
    {
      flags: "--to-last-good",
      description: "take out what is newer than the last good version and marked bad; asks first",
    },
    {
      flags: "--channel <name>",
      description: "with --to-last-good: point this channel at it, whatever it names now",
      completes: "none",
    },
    {
      flags: "--type <type>",
      description: "full: out of the index, files into the backup; artifacts_only: files only; " +
        "index_only: hide it, files stay (default: full)",
      choices: TYPES,
    },
    { flags: "--rollback-type <type>", description: "same as --type", choices: TYPES },
    {
      flags: "--artifact <glob>",
      description: "only the files that match (repeatable)",
      repeat: true,
      completes: "none",
    },
    ...policyFlags,
    { flags: "--no-backup", description: "keep nothing: the files are deleted for good" },
    {
      flags: "--verify-backup <how>",
      description:
        "check the backup by digest, or by what the storage tells (default: full; in a bucket: size)",
      choices: ["full", "size"],
    },
    {
      flags: "--channel-to <version>",
      description: "where its channels go (default: the version they named before)",
      completes: "none",
    },
    { flags: "--out <planfile>", description: "write the plan instead of running it", completes: "file" },
    ...reportFlags,
    {
      flags: "--manifest-output-dir <dir>",
      description: "write VERSION.rollback-manifest.json here",
      completes: "folder",
      group: "Reports:",
    },
    {
      flags: "--audit-output-dir <dir>",
      description: "write VERSION.rollback-audit.json (and .sig) here",
      completes: "folder",
      group: "Reports:",
    },
    { flags: "--output-dir <dir>", description: "both of them here", completes: "folder", group: "Reports:" },
    ...changeFlags,
  ],
  examples: [
    {
      command: "backout release rollback v1.0.2 -r /srv/releases --reason 'broken login'",
      note: "take a bad version out",
    },
    { command: "backout release rollback v1.0.2 -r /srv/releases --dry-run", note: "see each step first" },
    {
      command: "backout release rollback --to v1.0.0 -r /srv/releases --out plan.json",
      note: "plan to take out everything newer, for `backout release apply plan.json`",
    },
    {
      command: "backout release rollback --to-last-good --channel stable -r /srv/releases --yes",
      note: "stable back to the last version that is marked good; what is newer and bad leaves",
    },
    {
      command: "backout release rollback --version v1.0.2 --rollback-type full --repository-type local " +
        "--repository-path /srv/releases --output-dir ./out --json-report ./out/report.json",
      note: "all in options, with files for a pipeline",
    },
  ],
  run: async (args, context) => {
    const rollback = rollbackOf(args, context.cwd);
    const out = textOption(args.options, "out");
    if (out !== undefined) return await savePlan(args, context, rollback, resolve(context.cwd, out));
    const { rollbackRelease } = await import("#/mod/release.ts");
    return await runChange(args, context, {
      ...destructiveText(rollback),
      operate: (options) => rollbackRelease({ ...options, ...rollback }),
      outputs: outputFolders(args.options, context.cwd),
    });
  },
};

/** What was not named one by one is asked about. */
function destructiveText({ to, toLastGood }: RollbackChoice): { destructive?: string } {
  if (to !== undefined) return { destructive: `Rolling back everything newer than ${to}` };
  return toLastGood === true ? { destructive: "Going back to the last good version" } : {};
}

type RollbackChoice = Omit<RollbackOptions, "repository">;

function rollbackOf(args: ParsedArguments, cwd: string): RollbackChoice {
  const { options } = args;
  const version = versionOf(args);
  const to = textOption(options, "to");
  const toLastGood = flagOption(options, "toLastGood") || undefined;
  assertOneGoal([version, to, toLastGood]);
  const artifacts = listOption(options, "artifact");
  const folder = (name: string): string | undefined => {
    const path = textOption(options, name) ?? textOption(options, "outputDir");
    return path === undefined ? undefined : resolve(cwd, path);
  };
  return defined({
    version,
    to,
    toLastGood,
    channel: textOption(options, "channel"),
    type: eitherOption(options, ["type", "--type"], ["rollbackType", "--rollback-type"]) as
      | RollbackType
      | undefined,
    artifacts: artifacts.length === 0 ? undefined : artifacts,
    noBackup: options.backup === false || undefined,
    verifyBackup: textOption(options, "verifyBackup") as "full" | "size" | undefined,
    channelTo: textOption(options, "channelTo"),
    manifestOutputDir: folder("manifestOutputDir"),
    auditOutputDir: folder("auditOutputDir"),
  });
}

function assertOneGoal(goals: readonly unknown[]): void {
  const given = goals.filter((goal) => goal !== undefined).length;
  if (given === 1) return;
  if (given > 1) {
    throw new UsageError("A rollback takes one of a version, --to and --to-last-good; several were given", {
      hint: "VERSION takes out that version; --to VERSION takes out everything newer than it; " +
        "--to-last-good what is newer than the last good version and marked bad.",
    });
  }
  throw new UsageError("No version was named to roll back", {
    hint: "Give a version (`backout release list` shows them), --to VERSION, or --to-last-good.",
  });
}

function versionOf({ positionals, options }: ParsedArguments): string | undefined {
  const [positional] = positionals;
  const named = textOption(options, "version");
  if (positional !== undefined && named !== undefined && positional !== named) {
    throw new UsageError(`Two versions were named: ${positional}, and ${named} with --version`, {
      hint: "Give one of them.",
    });
  }
  return positional ?? named;
}

function outputFolders(options: OptionValues, cwd: string): readonly OutputPath[] {
  const flags = {
    manifestOutputDir: "--manifest-output-dir",
    auditOutputDir: "--audit-output-dir",
    outputDir: "--output-dir",
  };
  return Object.entries(flags).flatMap(([name, flag]): OutputPath[] => {
    const path = textOption(options, name);
    return path === undefined ? [] : [{ flag, path: resolve(cwd, path), kind: "folder" }];
  });
}
