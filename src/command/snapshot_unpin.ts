import type { Command } from "./command.ts";
import { namedSnapshotArgument, reasonedFlags } from "./workspace.ts";
import { runWorkspaceChange } from "./workspace_change.ts";

export const command: Command = {
  summary: "Take a pin away from a snapshot",
  description: "Take the pin of a snapshot away: it can be deleted again.",
  arguments: [namedSnapshotArgument],
  options: reasonedFlags,
  examples: [{ command: "backout snapshot unpin rb-0a1b2c3d4e5f", note: "let it go with the others" }],
  run: async (args, context) => {
    const { pinSnapshot } = await import("#/mod/snapshot.ts");
    const [snapshot = ""] = args.positionals;
    return await runWorkspaceChange(args, context, {
      operate: (options) => pinSnapshot({ ...options, snapshot, pinned: false }),
    });
  },
};
