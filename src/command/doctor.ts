import { visible } from "#/report/mod.ts";
import type { DoctorCheck, DoctorResult } from "#/repository/views.ts";
import type { ExitCode } from "#/core/errors.ts";
import type { Command, CommandContext, ParsedArguments } from "./command.ts";
import { repositoryOptions } from "./context.ts";
import { integrityCode, printView, runReading } from "./read.ts";
import { repositoryFlags } from "./repository_flags.ts";
import { placesOf, workspaceFlags, workspaceOptions } from "./workspace.ts";

export const command: Command = {
  summary: "Check repository, store, lock, journal and permissions",
  description:
    "Look for what would make the next rollback fail: the index, backups, lock, journal, permissions, space; for the " +
    "targets of the configuration the programs they need and the snapshot store. Changes nothing. Exit code 54 when " +
    "there is a problem.",
  options: [...repositoryFlags, ...workspaceFlags],
  examples: [
    { command: "backout doctor -r /srv/releases", note: "before you need a rollback" },
    { command: "backout doctor", note: "all that the nearest backout.yaml names" },
  ],
  run: async (args, context) => {
    const places = await placesOf(args.options, context);
    if (!places.workspace) return await doctorRepository(args, context);
    const { repositoryDoctor } = await import("#/mod/release.ts");
    const { workspaceDoctor } = await import("#/mod/snapshot.ts");
    const options = await workspaceOptions(args.options, context);
    const repository = places.repository
      ? await repositoryDoctor(await repositoryOptions(args.options, context))
      : undefined;
    const checks = [...repository?.checks ?? [], ...await workspaceDoctor(options)];
    const view: DoctorResult & { readonly workspace: string } = {
      repository: repository?.repository ?? "",
      workspace: options.folder,
      checks,
      context: repository?.context ?? {},
    };
    printView(view, () => textOf(view, context), context);
    return problemCode(view);
  },
};

async function doctorRepository(args: ParsedArguments, context: CommandContext): Promise<ExitCode> {
  const { repositoryDoctor } = await import("#/mod/release.ts");
  return await runReading(args, context, {
    read: repositoryDoctor,
    text: (view) => textOf(view, context),
    exitCode: problemCode,
  });
}

function problemCode({ checks }: DoctorResult): ExitCode {
  return integrityCode(checks.filter((check) => check.outcome === "problem"));
}

function textOf(view: DoctorResult, context: CommandContext): string {
  const { style } = context.printer;
  const mark: Record<DoctorCheck["outcome"], string> = {
    ok: style.green("✔"),
    warning: style.yellow("!"),
    problem: style.red("✘"),
  };
  return view.checks.map((check) => {
    const hint = check.hint === null ? "" : `    ${style.cyan("Do:")} ${visible(check.hint)}\n`;
    return `${mark[check.outcome]} ${check.id}: ${visible(check.detail)}\n${hint}`;
  }).join("");
}
