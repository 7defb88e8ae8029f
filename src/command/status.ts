import { formatBytes } from "#/report/mod.ts";
import type { StatusView } from "#/repository/views.ts";
import type { Command } from "./command.ts";
import { runReading } from "./read.ts";
import { repositoryFlags } from "./repository_flags.ts";
import { describeLock, factLines, timeAndAge } from "./view_text.ts";

export const command: Command = {
  summary: "Show the repository at a glance",
  options: repositoryFlags,
  examples: [
    { command: "backout status -r /srv/releases", note: "releases, channels, backups, lock, last operation" },
    { command: "backout status -r /srv/releases --json", note: "for monitoring" },
  ],
  run: async (args, context) => {
    const { repositoryStatus } = await import("#/mod.ts");
    return await runReading(args, context, { read: repositoryStatus, text: textOf });
  },
};

const UNKNOWN = "unknown: this user may not read backout's own folders; run it as the repository's owner";

function textOf(view: StatusView): string {
  const now = new Date();
  const channels = Object.entries(view.channels).map(([name, version]) => `${name} → ${version}`);
  const last = view.last_operation;
  return factLines([
    ["Repository", `${view.repository} (${view.repository_type})`],
    ["Index", `serial ${view.serial}, last written ${timeAndAge(view.last_updated, now)}`],
    ["Releases", `${view.releases} published, ${view.rolled_back} rolled back`],
    ["Channels", channels.length === 0 ? "none" : channels.join(", ")],
    ["Backups", view.backups === null ? UNKNOWN : String(view.backups)],
    ["Lock", view.lock === null ? (view.closed ? UNKNOWN : "free") : describeLock(view.lock, now)],
    ...view.unfinished.map((one): readonly [string, string] => [
      "Unfinished",
      `${one.operation} ${one.id}, ${
        one.committed ? "will be finished" : "will be taken back"
      }: run \`backout recover\``,
    ]),
    [
      "Last operation",
      last === null
        ? (view.closed ? UNKNOWN : "none")
        : `${last.summary} (${last.status}, ${timeAndAge(last.finished_at, now)})`,
    ],
    ["Free space", view.free_bytes === null ? undefined : formatBytes(view.free_bytes)],
  ]);
}
