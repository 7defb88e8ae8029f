import { ExitCode } from "#/core/errors.ts";
import { visible } from "#/report/mod.ts";
import type { RecoverResult } from "#/repository/views.ts";
import type { Command, CommandContext } from "./command.ts";
import { repositoryOptions } from "./context.ts";
import { printView } from "./read.ts";
import { repositoryFlags } from "./repository_flags.ts";

export const command: Command = {
  summary: "Finish or take back an interrupted operation",
  description:
    "Bring the repository to the state before or after an operation that was interrupted. The next changing " +
    "command does this by itself; this one does nothing else.",
  options: repositoryFlags,
  examples: [{ command: "backout recover -r /srv/releases", note: "after a crash or a power loss" }],
  run: async (args, context) => {
    const { recoverRepository } = await import("#/mod.ts");
    const options = await repositoryOptions(args.options, context);
    const view = await recoverRepository(options);
    printView(view, (result) => textOf(result, context), context);
    return ExitCode.done;
  },
};

function textOf(view: RecoverResult, context: CommandContext): string {
  if (view.recovered.length === 0) return "Nothing to recover: no operation is unfinished.\n";
  const { style } = context.printer;
  return view.recovered.map((one) => {
    const how = one.direction === "forward" ? "finished" : "taken back; all is as before";
    return `${style.green("✔")} The interrupted ${visible(one.operation)} (${one.id}) was ${how}\n`;
  }).join("");
}
