import { resolve } from "node:path";
import { ExitCode } from "#/core/errors.ts";
import { count } from "#/report/mod.ts";
import type { Command, CommandContext, ParsedArguments } from "./command.ts";
import { endOptions, oneOf, takeBackFlags } from "./component_flags.ts";
import { printView } from "./read.ts";
import { defined, textOption } from "./values.ts";
import { workspaceOptions } from "./workspace.ts";
import { runWorkspaceChange } from "./workspace_change.ts";

export const command: Command = {
  summary: "Write where components are into a file, or go back to one",
  description:
    "Write commit and branch of components into a file, in the form of a lock file (an old file stays as .previous), or bring all " +
    "components of such a file back to it: all or none. Asks first on a terminal before it goes back; needs --yes elsewhere.",
  options: [
    { flags: "--out <file>", description: "write this file", completes: "file" },
    { flags: "--restore <file>", description: "go back to what this file says", completes: "file" },
    {
      flags: "--components <names>",
      description: "with --out: only these, separated by commas",
      completes: "none",
    },
    { flags: "--description <text>", description: "with --out: what it is for", completes: "none" },
    ...takeBackFlags,
  ],
  examples: [
    { command: "backout component snapshot --out pre-deployment-snapshot.yaml", note: "before a deployment" },
    { command: "backout component snapshot --components comp1,comp2 --out snapshot.yaml", note: "of two" },
    { command: "backout component snapshot --restore pre-deployment-snapshot.yaml", note: "back to it" },
  ],
  run: async (args, context) => {
    const way = oneOf(args.options, { out: "--out", restore: "--restore" });
    return way === "out" ? await write(args, context) : await restore(args, context);
  },
};

async function write({ options: values }: ParsedArguments, context: CommandContext): Promise<ExitCode> {
  const { writeComponentSnapshot } = await import("#/mod/component.ts");
  const options = await workspaceOptions(values, context);
  const names = (textOption(values, "components") ?? "").split(",").map((it) => it.trim()).filter((it) =>
    it !== ""
  );
  const written = await writeComponentSnapshot({
    ...options,
    out: resolve(context.cwd, textOption(values, "out")!),
    components: names,
    ...defined({ description: textOption(values, "description") }),
  });
  const { path, components, warnings } = written;
  const { style } = context.printer;
  const verb = options.dryRun === true ? "Would write" : "Wrote";
  const text = `${verb} ${path}: ${count(Object.keys(components).length, "component")}\n` +
    warnings.map((warning) => `${style.yellow("Warning:")} ${warning}\n`).join("");
  printView(written, () => text, context);
  return ExitCode.done;
}

async function restore(args: ParsedArguments, context: CommandContext): Promise<ExitCode> {
  const { rollbackComponents } = await import("#/mod/component.ts");
  const path = resolve(context.cwd, textOption(args.options, "restore")!);
  return await runWorkspaceChange(args, context, {
    destructive: `Restoring ${path}`,
    operate: async (options) =>
      rollbackComponents({
        ...options,
        ...await endOptions(args.options, context, options),
        target: { kind: "snapshot", path },
      }),
  });
}
