import type { Command } from "./command.ts";
import { namedSnapshotArgument, reasonedFlags } from "./workspace.ts";
import { runWorkspaceChange } from "./workspace_change.ts";

const MARKS = ["good", "bad", "none"] as const;

export const command: Command = {
  summary: "Mark a snapshot good or bad",
  description:
    "Say what a snapshot is worth. `backout snapshot restore last-good` takes the newest good one.",
  arguments: [
    namedSnapshotArgument,
    { name: "<mark>", description: "good, bad, or none to take the mark away", choices: MARKS },
  ],
  options: reasonedFlags,
  examples: [
    { command: "backout snapshot mark latest good --reason 'a week in production'", note: "for last-good" },
  ],
  run: async (args, context) => {
    const { markSnapshot } = await import("#/mod/snapshot.ts");
    const [snapshot = "", mark] = args.positionals;
    return await runWorkspaceChange(args, context, {
      operate: (options) =>
        markSnapshot({ ...options, snapshot, mark: mark === "good" || mark === "bad" ? mark : "" }),
    });
  },
};
