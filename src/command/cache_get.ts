import { visible } from "#/report/mod.ts";
import { inputFlags, inputOptions } from "./cache_flags.ts";
import type { Command } from "./command.ts";
import { entryFlags, pathOption, replaceFlag, runEntries, sizeWords, targetFolderFlag } from "./entry_run.ts";
import { placeWords } from "./store_get.ts";
import { defined, flagOption, textOption } from "./values.ts";

export const command: Command = {
  summary: "Write what was built into a folder",
  description:
    "Write the cached build of a component: that of its source as it is now, that of --key, or, where the component has no " +
    "build command, the newest one. Exit code 40 when it was not built. The target appears whole or not at all, and every " +
    "byte is proven by its digest.",
  arguments: [{ name: "<component>", description: "name of the component" }],
  options: [
    targetFolderFlag,
    replaceFlag,
    {
      flags: "--key <key>",
      description: "this build: a key, or a unique beginning of one",
      completes: "none",
    },
    ...inputFlags,
    ...entryFlags,
  ],
  examples: [
    { command: "backout cache get user-api --target out", note: "of components/user-api as it is" },
    {
      command: "backout cache get user-api --target out --remote s3://bucket/cache",
      note: "also from there",
    },
  ],
  run: async (args, context) => {
    const { getCached } = await import("#/mod/entries.ts");
    const { options: values, positionals: [component = ""] } = args;
    return await runEntries(args, context, {
      work: (options) =>
        getCached({
          ...options,
          component,
          target: pathOption(values, "target", context)!,
          replace: flagOption(values, "replace"),
          ...inputOptions(values, context),
          ...defined({ key: textOption(values, "key") }),
        }),
      text: ({ entry, target, put, from, chosen }) => {
        const which = chosen === "newest" ? `, the newest (${entry.created_at})` : "";
        if (put === "already there") return `${visible(target)} is what it should be already${which}.\n`;
        return `Wrote ${visible(entry.component)} (${sizeWords(entry)}) to ${visible(target)}, from ${
          placeWords(from)
        }${which}.\n`;
      },
    });
  },
};
