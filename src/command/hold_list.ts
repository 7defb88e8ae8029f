import { formatAge, renderTable } from "#/report/mod.ts";
import type { HoldList } from "#/repository/views.ts";
import type { Command, CommandContext } from "./command.ts";
import { runReading } from "./read.ts";
import { repositoryFlags } from "./repository_flags.ts";

export const command: Command = {
  summary: "List what holds the repository",
  options: repositoryFlags,
  examples: [{ command: "backout hold list -r /srv/releases", note: "who stopped publishes, and why" }],
  run: async (args, context) => {
    const { listHolds } = await import("#/mod/release.ts");
    return await runReading(args, context, { read: listHolds, text: (view) => textOf(view, context) });
  },
};

function textOf({ holds }: HoldList, context: CommandContext): string {
  if (holds.length === 0) return "Nothing is held.\n";
  const now = new Date();
  const rows = holds.map(({ name, at, by, reason }) => [name, formatAge(at, now), by, reason]);
  return renderTable([["HOLD", "SET", "BY", "REASON"], ...rows], {
    style: context.printer.style,
    width: context.stdoutWidth,
  });
}
