import { resolve } from "node:path";
import { ExitCode } from "#/core/errors.ts";
import type { Command } from "./command.ts";
import { printView } from "./read.ts";

export const command: Command = {
  summary: "Write a commented configuration",
  description: "Write a commented configuration to start from. An existing file is never replaced.",
  arguments: [{ name: "[file]", description: "where (default: backout.yaml in this folder)" }],
  examples: [{
    command: "backout config init",
    note: "then edit backout.yaml and run `backout config check`",
  }],
  run: async (args, context) => {
    const { CONFIG_FILE_NAME, initConfig } = await import("#/config/mod.ts");
    const path = resolve(context.cwd, args.positionals[0] ?? context.globals.config ?? CONFIG_FILE_NAME);
    const { dryRun } = context.globals;
    if (!dryRun) await initConfig(path);
    printView(
      { path, written: !dryRun },
      () => dryRun ? `Would write ${path}.\n` : `Wrote ${path}.\n`,
      context,
    );
    return ExitCode.done;
  },
};
