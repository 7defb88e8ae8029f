import { ExitCode } from "#/core/errors.ts";
import { renderTable, visible } from "#/report/mod.ts";
import type { Command } from "./command.ts";
import { entryFlags, runEntries } from "./entry_run.ts";

export const command: Command = {
  summary: "Fetch what would have to be built from the remote store",
  description:
    "Bring the cached builds of the sources as they are now into this machine's store: of the components that are named, or " +
    "of all that have a build command. What no store has is told, and is no failure. Exit code 54 when one is damaged there.",
  arguments: [{ name: "[component...]", description: "only these" }],
  options: entryFlags,
  examples: [{
    command: "backout cache warm --remote s3://bucket/cache",
    note: "at the start of a pipeline",
  }],
  run: async (args, context) => {
    const { warmCache } = await import("#/mod/entries.ts");
    return await runEntries(args, context, {
      work: (options) => warmCache({ ...options, components: args.positionals }),
      text: ({ components }) => {
        if (components.length === 0) return "No component has a build command.\n";
        const rows = components.map((
          { component, key, state, detail },
        ) => [component, key?.slice(0, 16) ?? "", state, visible(detail)]);
        const { style } = context.printer;
        return renderTable([["COMPONENT", "KEY", "STATE", ""], ...rows], {
          style,
          width: context.stdoutWidth,
        });
      },
      exitCode: ({ components }) =>
        components.some(({ state }) => state === "failed") ? ExitCode.integrity : ExitCode.done,
    });
  },
};
