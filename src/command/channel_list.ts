import { formatAge, renderTable } from "#/report/mod.ts";
import type { ReleaseList } from "#/repository/views.ts";
import type { Command, CommandContext } from "./command.ts";
import { runReading } from "./read.ts";
import { repositoryFlags } from "./repository_flags.ts";

export const command: Command = {
  summary: "List channels and their versions",
  options: repositoryFlags,
  examples: [
    {
      command: "backout channel list -r /srv/releases",
      note: "what each channel names, and what it named before",
    },
  ],
  run: async (args, context) => {
    const { listReleases } = await import("#/mod/release.ts");
    return await runReading(args, context, {
      read: async (options) => channelsOf(await listReleases(options)),
      text: (view) => textOf(view, context),
    });
  },
};

type ChannelsView = Pick<ReleaseList, "repository" | "serial" | "channels">;

function channelsOf({ repository, serial, channels }: ReleaseList): ChannelsView {
  return { repository, serial, channels };
}

function textOf(view: ChannelsView, context: CommandContext): string {
  const now = new Date();
  const rows = Object.entries(view.channels).map(([name, channel]) => [
    name,
    channel.version,
    formatAge(channel.since, now),
    channel.previous ?? "",
  ]);
  if (rows.length === 0) return "No channels yet. `backout channel set NAME VERSION` makes one.\n";
  const { style } = context.printer;
  return renderTable([["CHANNEL", "VERSION", "SINCE", "BEFORE"], ...rows], {
    style,
    width: context.stdoutWidth,
  });
}
