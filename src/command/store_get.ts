import { visible } from "#/report/mod.ts";
import type { Command } from "./command.ts";
import { entryFlags, pathOption, replaceFlag, runEntries, sizeWords, targetFolderFlag } from "./entry_run.ts";
import { flagOption } from "./values.ts";

export const command: Command = {
  summary: "Write an entry of the store into a folder",
  description:
    "Write what has this hash: from this machine's store, else from --remote, else from a .meta-store. Every byte is proven " +
    "by its digest first; what is damaged, or not what its hash says, is not written (exit code 54). The target appears " +
    "whole or not at all; what is there already stays, unless --replace is given.",
  arguments: [{ name: "<hash>", description: "of the entry, or a unique beginning of it" }],
  options: [targetFolderFlag, replaceFlag, ...entryFlags],
  examples: [
    { command: "backout store get 3fa9c1d2 --target build", note: "from the store of this workspace" },
    {
      command: "backout store get 3fa9c1d2 --target build --remote gs://bucket/store",
      note: "or from there",
    },
  ],
  run: async (args, context) => {
    const { getFromStore } = await import("#/mod/entries.ts");
    const { options: values, positionals: [hash = ""] } = args;
    return await runEntries(args, context, {
      work: (options) =>
        getFromStore({
          ...options,
          hash,
          target: pathOption(values, "target", context)!,
          replace: flagOption(values, "replace"),
        }),
      text: ({ entry, target, put, from }) =>
        put === "already there"
          ? `${visible(target)} is what it should be already.\n`
          : `Wrote ${visible(entry.component)} (${sizeWords(entry)}) to ${visible(target)}, from ${
            placeWords(from)
          }.\n`,
    });
  },
};

/** Where an entry came from, for people. */
export function placeWords(from: "local" | "remote" | "meta-store"): string {
  return { local: "this machine's store", remote: "the remote store", "meta-store": ".meta-store" }[from];
}
