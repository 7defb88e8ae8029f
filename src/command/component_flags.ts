/** What the commands on meta repositories share. */
import { UsageError } from "#/core/errors.ts";
import type { EndOptions } from "#/meta/options.ts";
import type { WorkspaceOptions } from "#/snapshot/options.ts";
import { checksFlag, chosenChecks } from "./check_flags.ts";
import type { CommandContext, OptionSpec, OptionValues } from "./command.ts";
import { reportFlags } from "./report_files.ts";
import { defined, flagOption, parseDuration, textOption } from "./values.ts";
import { judgedFlags } from "./workspace.ts";

export const envFlag: OptionSpec = {
  flags: "--env <name>",
  description: "environment whose lock file is meant, manifests/components.lock.NAME.yaml",
  completes: "none",
};

/** Flags of what takes components back. */
export const takeBackFlags: readonly OptionSpec[] = [
  checksFlag,
  { flags: "--no-checks", description: "check nothing afterwards" },
  {
    flags: "--rollback-on-failure",
    description: "take it back when a required check fails (default: exit 51)",
  },
  {
    flags: "--confirm-within <duration>",
    description: "take it back unless `backout confirm` comes in this time",
    completes: "none",
  },
  ...reportFlags,
  ...judgedFlags,
];

/** How a change ends, from the flags. @throws {UsageError} */
export async function endOptions(
  values: OptionValues,
  context: CommandContext,
  options: WorkspaceOptions,
): Promise<EndOptions> {
  const within = textOption(values, "confirmWithin");
  return {
    checks: values["checks"] === false ? [] : await chosenChecks(values, context, options),
    ...defined({
      rollbackOnFailure: flagOption(values, "rollbackOnFailure") || undefined,
      confirmWithinMs: within === undefined ? undefined : parseDuration(within, "--confirm-within"),
    }),
  };
}

/** The one of several options that was given. @throws {UsageError} none, or several */
export function oneOf(values: OptionValues, flags: Readonly<Record<string, string>>): string {
  const given = Object.keys(flags).filter((key) => values[key] !== undefined && values[key] !== false);
  if (given.length === 1) return given[0]!;
  const all = Object.values(flags).join(", ");
  throw new UsageError(
    given.length === 0
      ? `One of ${all} is needed`
      : `${given.map((key) => flags[key]).join(" and ")} exclude each other`,
    { hint: given.length === 0 ? "Say what to go back to." : "Give one of them." },
  );
}
