import type { Command } from "./command.ts";
import { namedSnapshotArgument, reasonedFlags } from "./workspace.ts";
import { runWorkspaceChange } from "./workspace_change.ts";

export const command: Command = {
  summary: "Protect a snapshot from deletion",
  description: "Protect a snapshot: neither `snapshot delete` nor retention takes a pinned one.",
  arguments: [namedSnapshotArgument],
  options: reasonedFlags,
  examples: [{
    command: "backout snapshot pin rb-0a1b2c3d4e5f",
    note: "keep the state before a large change",
  }],
  run: async (args, context) => {
    const { pinSnapshot } = await import("#/mod/snapshot.ts");
    const [snapshot = ""] = args.positionals;
    return await runWorkspaceChange(args, context, {
      operate: (options) => pinSnapshot({ ...options, snapshot, pinned: true }),
    });
  },
};
