import { UsageError } from "#/core/errors.ts";
import { runChange } from "./change.ts";
import type { Command, OptionValues } from "./command.ts";
import { changeFlags, policyFlags } from "./context.ts";
import { reportFlags } from "./report_files.ts";
import { defined, flagOption, textOption } from "./values.ts";

export const command: Command = {
  summary: "Undo a rollback from its backup",
  description:
    "Put a version back: its files are copied from the backup and checked before the index names them. " +
    "With --at, undo the rollbacks, yanks and channel moves since a time.",
  arguments: [
    { name: "[target]", description: "rollback id, backup, or version (its newest backup)" },
  ],
  options: [
    {
      flags: "--at <time>",
      description: "undo everything taken out since this time (RFC 3339)",
      completes: "none",
    },
    {
      flags: "--exact",
      description: "with --at: also roll back, with backup, what was published since; asks first",
    },
    {
      flags: "--verify-backup <how>",
      description: "compare digests, or sizes only (default: full)",
      choices: ["full", "size"],
    },
    ...policyFlags,
    ...reportFlags,
    ...changeFlags,
  ],
  examples: [
    { command: "backout release restore v1.0.2 -r /srv/releases", note: "a version, from its newest backup" },
    {
      command: "backout release restore --at 2026-05-01T12:00:00Z -r /srv/releases --dry-run",
      note: "what would it take to undo everything since noon",
    },
  ],
  run: async (args, context) => {
    const { restoreRelease } = await import("#/mod/release.ts");
    const [target] = args.positionals;
    const { options: values } = args;
    assertTarget(target, values);
    const exact = flagOption(values, "exact");
    const restore = defined({
      target,
      at: textOption(values, "at"),
      exact: exact || undefined,
      verifyBackup: textOption(values, "verifyBackup") as "full" | "size" | undefined,
    });
    return await runChange(args, context, {
      ...(exact ? { destructive: "Rolling back what was published since" } : {}),
      operate: (options) => restoreRelease({ ...options, ...restore }),
    });
  },
};

function assertTarget(target: string | undefined, options: OptionValues): void {
  const at = textOption(options, "at");
  if (target === undefined && at === undefined) {
    throw new UsageError("Nothing was named to restore", {
      hint: "Give a rollback id or a version (`backout backup list` shows them), or --at TIME.",
    });
  }
  if (target !== undefined && at !== undefined) {
    throw new UsageError("A target and --at were given; restore takes one of them");
  }
  if (flagOption(options, "exact") && at === undefined) {
    throw new UsageError("--exact goes with --at TIME", { hint: "Add --at, or leave out --exact." });
  }
}
