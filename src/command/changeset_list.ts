import type { Changeset } from "#/component/changeset.ts";
import { count, formatAge, renderTable, visible } from "#/report/mod.ts";
import type { Command, CommandContext } from "./command.ts";
import { runWorkspaceReading, workspaceFlags } from "./workspace.ts";

export const command: Command = {
  summary: "List changes that went through several repositories",
  options: workspaceFlags,
  examples: [{ command: "backout changeset list", note: "newest first" }],
  run: async (args, context) => {
    const { listChangesets } = await import("#/mod/component.ts");
    return await runWorkspaceReading(args, context, {
      read: ({ folder }) => Promise.resolve(listChangesets(folder)),
      text: (view) => textOf(view, context),
      json: ({ changesets, damaged }) => ({ changesets: changesets.map(changesetView), damaged }),
    });
  },
};

/** What \`--json\` shows: without the document's own text. */
export function changesetView({ text: _text, ...rest }: Changeset): Omit<Changeset, "text"> {
  return rest;
}

function textOf(
  { changesets, damaged }: { readonly changesets: readonly Changeset[]; readonly damaged: readonly string[] },
  context: CommandContext,
): string {
  const { style } = context.printer;
  const broken = damaged.map((what) => `${style.red("✘")} ${visible(what)}\n`).join("");
  if (changesets.length === 0) return `There are no changesets in .meta/changesets.\n${broken}`;
  const now = new Date();
  const rows = changesets.map(({ id, timestamp, status, author, commits, description }) => [
    visible(id),
    Number.isNaN(Date.parse(timestamp))
      ? visible(timestamp)
      : formatAge(new Date(timestamp).toISOString(), now),
    visible(status),
    visible(author),
    count(new Set(commits.map(({ name }) => name)).size, "repository", "repositories"),
    visible(description),
  ]);
  const heading = ["ID", "MADE", "STATUS", "AUTHOR", "IN", "DESCRIPTION"];
  return renderTable([heading, ...rows], { style, width: context.stdoutWidth }) + broken;
}
