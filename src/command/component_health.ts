import { ExitCode, UsageError } from "#/core/errors.ts";
import type { HealthReport } from "#/meta/health.ts";
import { count, visible } from "#/report/mod.ts";
import { checksFlag, chosenChecks } from "./check_flags.ts";
import type { Command, CommandContext } from "./command.ts";
import { envFlag } from "./component_flags.ts";
import { defined, flagOption, listOption, textOption } from "./values.ts";
import { runWorkspaceReading, workspaceFlags } from "./workspace.ts";

export const command: Command = {
  summary: "Check that components are where they should be",
  description:
    "Check that every component is checked out at the commit of the lock file (without one: at the manifest's version), that " +
    "nothing is uncommitted, that it is not marked bad, and that the checks of backout.yaml pass. Exit code 51 when not.",
  arguments: [{ name: "[component...]", description: "only these" }],
  options: [
    { flags: "--all", description: "all components of the manifest, as without any name" },
    {
      flags: "--component <name>",
      description: "the same as naming it (repeatable)",
      repeat: true,
      completes: "none",
    },
    envFlag,
    checksFlag,
    { flags: "--no-checks", description: "leave the checks of backout.yaml out" },
    ...workspaceFlags,
  ],
  examples: [
    { command: "backout component health --all --env prod", note: "before and after a rollback" },
    { command: "backout component health user-api --json", note: "one of them, for a script" },
  ],
  run: async (args, context) => {
    const { componentHealth } = await import("#/mod/component.ts");
    const { options: values } = args;
    const components = [...args.positionals, ...listOption(values, "component")];
    if (flagOption(values, "all") && components.length > 0) {
      throw new UsageError("--all and names were given", { hint: "Give one of them." });
    }
    const environment = textOption(values, "env");
    return await runWorkspaceReading(args, context, {
      read: async (options) => {
        const checks = values["checks"] === false ? [] : await chosenChecks(values, context, options);
        return await componentHealth({ ...options, components, checks, ...defined({ environment }) });
      },
      text: (view) => textOf(view, context),
      exitCode: ({ healthy }) => healthy ? ExitCode.done : ExitCode.verification,
    });
  },
};

function textOf({ components, checks, lock }: HealthReport, context: CommandContext): string {
  const { style } = context.printer;
  const lines = components.map(({ component, healthy, version, commit, problems }) => {
    const at = version ?? commit?.slice(0, 12) ?? "not checked out";
    return healthy
      ? `${style.green("✔")} ${visible(component)}: ${visible(at)}\n`
      : `${style.red("✘")} ${visible(component)}: ${visible(problems.join("; "))}\n`;
  });
  const checked = checks.map(({ name, passed, required, detail }) => {
    const mark = passed ? style.green("✔") : required ? style.red("✘") : style.yellow("!");
    return `${mark} ${visible(name)}: ${visible(detail)}\n`;
  });
  const good = components.filter((one) => one.healthy).length;
  const by = lock === null ? "the manifest" : lock;
  return `${lines.join("")}${checked.join("")}${good} of ${
    count(components.length, "component")
  } healthy, by ${by}.\n`;
}
