import { ExitCode, UsageError } from "#/core/errors.ts";
import { visible, visibleLines } from "#/report/mod.ts";
import type { AppliedComponent, ApplyReport } from "#/component/apply/model.ts";
import type { Command, CommandContext } from "./command.ts";
import { printView } from "./read.ts";
import { defined, flagOption, parseCount, textOption } from "./values.ts";
import { startWatch } from "./watch.ts";
import { workspaceOptions } from "./workspace.ts";

const MOST_JOBS = 256;

export const command: Command = {
  summary: "Run install, build and test of components, in the order of dependencies",
  description:
    "Run the commands `install`, `build` and `test` of each component of the manifest in its checkout: after all that it " +
    "depends on, and at the same time as others where nothing is between them. What fails stops what depends on it, and " +
    "everything else that was not begun, unless --keep-going is given. All that commands print is in .backout/logs. The exit " +
    "code is 49 when one failed.",
  arguments: [{ name: "[component...]", description: "only these, in their order" }],
  options: [
    { flags: "--all", description: "all components of the manifest" },
    { flags: "--parallel", description: "several at the same time: so it is, unless --jobs 1 is given" },
    { flags: "--jobs <number>", description: "components at the same time (default: 4)", completes: "none" },
    {
      flags: "--env <name>",
      description: "environment: BACKOUT_ENV of the commands, and the lock file of --locked",
      completes: "none",
    },
    { flags: "--locked", description: "refuse (51) unless every checkout is at the commit of the lock file" },
    { flags: "--keep-going", description: "after a failure go on with what does not depend on it" },
  ],
  examples: [
    { command: "backout component apply --all", note: "everything" },
    {
      command: "backout component apply --all --parallel --jobs 8 --env prod --locked",
      note: "as it was locked",
    },
    { command: "backout component apply user-api web --keep-going", note: "two of them" },
  ],
  run: async (args, context) => {
    const { options: values, positionals: components } = args;
    const all = flagOption(values, "all");
    if (all === components.length > 0) {
      throw new UsageError(all ? "--all and names were given" : "No component was named", {
        hint: all ? "Give one of them." : "Name some, or give --all.",
      });
    }
    const { applyComponents } = await import("#/mod/entries.ts");
    const jobs = textOption(values, "jobs");
    const { folder, signal } = await workspaceOptions(values, context);
    const report = await watched(context, (onEvent) =>
      applyComponents({
        ...{ folder, components, signal, onEvent, dryRun: context.globals.dryRun },
        ...{ locked: flagOption(values, "locked"), keepGoing: flagOption(values, "keepGoing") },
        ...defined({
          environment: textOption(values, "env"),
          jobs: jobs === undefined ? undefined : parseCount(jobs, "--jobs", MOST_JOBS),
        }),
      }));
    printView(report, () => textOf(report, context), context);
    if (report.exit_code !== ExitCode.done && context.globals.output === "json") {
      context.printer.error(context.printer.style.red(report.summary));
    }
    return report.exit_code;
  },
};

/** The progress is gone when this returns. */
async function watched<T>(
  context: CommandContext,
  work: (onEvent: ReturnType<typeof startWatch>["onEvent"]) => Promise<T>,
): Promise<T> {
  using watch = startWatch(context);
  return await work(watch.onEvent);
}

function textOf(report: ApplyReport, context: CommandContext): string {
  const { style } = context.printer;
  const good = report.exit_code === ExitCode.done;
  const mark = good ? style.green("✔") : style.red("✘");
  return [
    ...report.components.map((component) => lineOf(component, context)),
    `${mark} ${visible(report.summary)} in ${report.seconds} s.\n`,
    report.logs === null ? "" : `Logs: ${visible(report.logs)}\n`,
  ].join("");
}

function lineOf({ name, state, steps, seconds, reason }: AppliedComponent, context: CommandContext): string {
  const { style } = context.printer;
  const paint = { failed: style.red, stopped: style.red, skipped: style.yellow }[state as string] ??
    ((text: string) => text);
  const words = steps.map((step) => step.name).join(", ");
  const what = state === "done" || state === "planned"
    ? ` (${words}${state === "done" ? `; ${seconds} s` : ""})`
    : "";
  const why = reason === "" ? "" : `: ${visibleLines(reason)}`;
  const log = state === "failed" ? steps.at(-1)?.log ?? null : null;
  return `${paint(`  ${visible(name)} ${state}`)}${what}${why}\n${
    log === null ? "" : `    ${visible(log)}\n`
  }`;
}
