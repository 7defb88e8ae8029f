import type { Changeset } from "#/component/changeset.ts";
import { renderTable, visible } from "#/report/mod.ts";
import { changesetView } from "./changeset_list.ts";
import type { Command, CommandContext } from "./command.ts";
import { factLines } from "./view_text.ts";
import { runWorkspaceReading, workspaceFlags } from "./workspace.ts";

export const changesetArgument = {
  name: "<id>",
  description: "id of a changeset, or a unique beginning of it",
} as const;

export const command: Command = {
  summary: "Show a changeset with its commits",
  arguments: [changesetArgument],
  options: workspaceFlags,
  examples: [{ command: "backout changeset show abc12345", note: "before it is rolled back" }],
  run: async (args, context) => {
    const { readChangeset } = await import("#/mod/component.ts");
    const [id = ""] = args.positionals;
    return await runWorkspaceReading(args, context, {
      read: ({ folder }) => Promise.resolve(readChangeset(folder, id)),
      text: (view) => textOf(view, context),
      json: changesetView,
    });
  },
};

function textOf(
  { id, timestamp, author, status, description, commits }: Changeset,
  context: CommandContext,
): string {
  const facts = factLines([
    ["Changeset", id],
    ["Made", timestamp],
    ["By", author],
    ["Status", status],
    ["For", description],
  ]);
  const rows = commits.map(({ name, branch, commit, message }) => [
    visible(name),
    visible(branch ?? ""),
    commit.slice(0, 12),
    visible(message),
  ]);
  const { style } = context.printer;
  const table = renderTable([["COMPONENT", "BRANCH", "COMMIT", "MESSAGE"], ...rows], {
    style,
    width: context.stdoutWidth,
  });
  return `${facts}\n${table}`;
}
