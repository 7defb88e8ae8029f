import { resolve } from "node:path";
import type { Command } from "./command.ts";
import { reportFlags } from "./report_files.ts";
import { reasonedFlags } from "./workspace.ts";
import { runWorkspaceChange } from "./workspace_change.ts";

export const command: Command = {
  summary: "Take over the snapshots of other tools",
  description:
    "Make snapshots of this store from what other rollback tools left: a folder with rollback_index.json, " +
    "rb-*/configs and rb-*/volumes, or one with *_metadata.json files (pipe_runs/rollback_snapshots). Their files stay " +
    "as they are. What cannot be taken over is named; what is here already is left alone.",
  arguments: [{ name: "<folder>", description: "the other tool's folder, or the project that has it" }],
  options: [...reportFlags, ...reasonedFlags],
  examples: [
    { command: "backout snapshot import rollback/backups --dry-run", note: "see what would come over" },
    { command: "backout snapshot import .", note: "of the project in this folder" },
  ],
  run: async (args, context) => {
    const { importSnapshots } = await import("#/mod/import.ts");
    const from = resolve(context.cwd, args.positionals[0] ?? "");
    return await runWorkspaceChange(args, context, {
      operate: (options) => importSnapshots({ ...options, from }),
    });
  },
};
