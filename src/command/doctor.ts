import { visible } from "#/report/mod.ts";
import type { DoctorCheck, DoctorResult } from "#/repository/views.ts";
import type { Command, CommandContext } from "./command.ts";
import { integrityCode, runReading } from "./read.ts";
import { repositoryFlags } from "./repository_flags.ts";

export const command: Command = {
  summary: "Check repository, store, lock, journal and permissions",
  description:
    "Look for what would make the next rollback fail: the index, backups, lock, journal, permissions, space. " +
    "Changes nothing. Exit code 54 when there is a problem.",
  options: repositoryFlags,
  examples: [{ command: "backout doctor -r /srv/releases", note: "before you need a rollback" }],
  run: async (args, context) => {
    const { repositoryDoctor } = await import("#/mod.ts");
    return await runReading(args, context, {
      read: repositoryDoctor,
      text: (view) => textOf(view, context),
      exitCode: (view) => integrityCode(view.checks.filter((check) => check.outcome === "problem")),
    });
  },
};

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
