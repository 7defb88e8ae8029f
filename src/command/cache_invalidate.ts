import { count, visible } from "#/report/mod.ts";
import type { Invalidated } from "#/component/cache/get.ts";
import type { Command } from "./command.ts";
import { entryFlags, runEntries } from "./entry_run.ts";
import { defined, flagOption, textOption } from "./values.ts";

export const command: Command = {
  summary: "Throw cached builds away",
  description:
    "Throw away the cached builds of a component, one of them, or all: here, and in --remote. They are built anew when they " +
    "are needed; their bytes go with `store gc`.",
  arguments: [{ name: "[component]", description: "all of this one" }],
  options: [
    { flags: "--key <key>", description: "only the builds whose key begins so", completes: "none" },
    { flags: "--all", description: "of all components" },
    ...entryFlags,
  ],
  examples: [
    { command: "backout cache invalidate user-api", note: "after the compiler was replaced" },
    {
      command: "backout cache invalidate --key 91ab33 --remote s3://bucket/cache",
      note: "a build that is bad",
    },
  ],
  run: async (args, context) => {
    const { invalidateCache } = await import("#/mod/entries.ts");
    const { options: values, positionals: [component] } = args;
    const { dryRun } = context.globals;
    return await runEntries(args, context, {
      hasDryRun: true,
      work: (options) =>
        invalidateCache({
          ...options,
          dryRun,
          all: flagOption(values, "all"),
          ...defined({ component, key: textOption(values, "key") }),
        }),
      text: ({ local, remote }) => {
        const words = dryRun ? "Would throw away" : "Threw away";
        const there = remote === null ? "" : `, ${remote.length} in the remote store`;
        return `${words} ${count(local.length, "cached build")} here${there}.\n${local.map(lineOf).join("")}`;
      },
    });
  },
};

function lineOf({ key, component }: Invalidated): string {
  return `  ${key.slice(0, 16)} ${component === "" ? "(unreadable)" : visible(component)}\n`;
}
