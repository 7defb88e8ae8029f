import { ExitCode } from "#/core/errors.ts";
import { count } from "#/report/mod.ts";
import type { NotifyFlushResult } from "#/repository/views.ts";
import type { Command, CommandContext } from "./command.ts";
import { repositoryOptions } from "./context.ts";
import { printView } from "./read.ts";
import { repositoryFlags } from "./repository_flags.ts";

export const command: Command = {
  summary: "Send the messages that wait for a receiver",
  description:
    "Send what webhooks did not take when it happened. Every changing command tries this too; this one does " +
    "nothing else, and takes up to 30 s for it. What cannot be sent now goes on waiting: exit code 0.",
  options: repositoryFlags,
  examples: [
    { command: "backout notify flush -r /srv/releases", note: "after a receiver is back" },
    { command: "backout notify flush -r /srv/releases --dry-run", note: "how many wait?" },
  ],
  run: async (args, context) => {
    const { flushNotifications } = await import("#/mod/release.ts");
    const options = await repositoryOptions(args.options, context);
    const { dryRun } = context.globals;
    const view = await flushNotifications({ ...options, dryRun });
    printView(view, () => textOf(view, context), context);
    return ExitCode.done;
  },
};

function textOf(view: NotifyFlushResult, { printer: { style } }: CommandContext): string {
  const { delivered, waiting, dropped } = view;
  const facts = [
    ...(delivered > 0 ? [`${count(delivered, "message")} sent`] : []),
    ...(dropped > 0 ? [`${count(dropped, "message")} given up`] : []),
    ...(waiting > 0 ? [`${count(waiting, "message")} waiting`] : []),
  ];
  const summary = facts.length === 0 ? "No message waits.\n" : `${facts.join(", ")}.\n`;
  return summary + view.warnings.map((it) => `${style.yellow(`Warning: ${it}`)}\n`).join("");
}
