import { ExitCode } from "#/core/errors.ts";
import type { Command } from "./command.ts";
import { present } from "./change.ts";
import { workspaceFlags, workspaceOptions } from "./workspace.ts";

export const command: Command = {
  summary: "Wait for a confirmation, and take the restore back without one",
  description:
    "What `snapshot restore --confirm-within` starts in a process of its own. Nobody needs to run it.",
  options: workspaceFlags,
  examples: [{
    command: "backout snapshot watch-confirm",
    note: "started by `snapshot restore --confirm-within`",
  }],
  run: async (args, context) => {
    const { watchConfirmation } = await import("#/mod/snapshot.ts");
    const report = await watchConfirmation(await workspaceOptions(args.options, context));
    if (report === undefined) return ExitCode.done;
    present(report, context);
    return report.exit_code;
  },
};
