import { resolve } from "node:path";
import { ExitCode, UsageError } from "#/core/errors.ts";
import type { ConfigCheck } from "#/config/mod.ts";
import type { Command } from "./command.ts";
import { printView } from "./read.ts";
import { problemLines } from "./view_text.ts";

export const command: Command = {
  summary: "Check a configuration file",
  description:
    "Read a configuration and list everything that is wrong with it, with line numbers. Exit code 2 when " +
    "something is.",
  arguments: [{ name: "[file]", description: "the file (default: the one that commands would use)" }],
  examples: [
    { command: "backout config check", note: "the backout.yaml of this folder or above" },
    { command: "backout config check /etc/backout/backout.yaml --json", note: "for a pipeline" },
  ],
  run: async (args, context) => {
    const { checkConfigFile, locateConfig } = await import("#/config/mod.ts");
    const { cwd, env, globals } = context;
    const given = args.positionals[0] ?? globals.config;
    const path = given === undefined ? locateConfig({ cwd, env }) : resolve(cwd, given);
    if (path === undefined) {
      throw new UsageError("There is no backout.yaml in this folder or above it", {
        hint: "Name a file, or write one with `backout config init`.",
      });
    }
    const view = await checkConfigFile(path, env);
    printView(view, (check) => textOf(check, context.printer.style), context);
    return view.problems.length === 0 ? ExitCode.done : ExitCode.usage;
  },
};

function textOf(view: ConfigCheck, style: Parameters<typeof problemLines>[2]): string {
  const problems = view.problems.map(({ line, column, message, hint }) =>
    `${line}:${column}: ${message}${hint === null ? "" : ` (${hint})`}`
  );
  return problemLines(`${view.path} checked`, problems, style);
}
