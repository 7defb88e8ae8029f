import { ExitCode } from "#/core/errors.ts";
import { count, visible } from "#/report/mod.ts";
import type { ImportView } from "#/component/store/meta_store.ts";
import type { Command, CommandContext } from "./command.ts";
import { entryFlags, pathOption, runEntries } from "./entry_run.ts";
import { defined, textOption } from "./values.ts";

export const command: Command = {
  summary: "Take over a .meta-store, or an archive",
  description:
    "Take over all entries of a .meta-store/<2 hex>/<hash>, which is not changed. They get hashes of this store's own, and " +
    "are found by their old ones too. Where FROM is a tar archive (plain, gzip or zstd), what is in it becomes one entry.",
  arguments: [{ name: "[from]", description: "folder that has .meta-store (default: here), or an archive" }],
  options: [
    {
      flags: "--component <name>",
      description: "what to call the entries: the meta store does not say; needed for an archive",
      completes: "none",
    },
    ...entryFlags,
  ],
  examples: [
    { command: "backout store import", note: "the .meta-store of this folder" },
    { command: "backout store import build.tar.zst --component user-api", note: "what `store export` wrote" },
  ],
  run: async (args, context) => {
    const { importMetaStore } = await import("#/mod/entries.ts");
    const { options: values, positionals: [from] } = args;
    const { dryRun } = context.globals;
    const component = textOption(values, "component");
    return await runEntries(args, context, {
      hasDryRun: true,
      work: (options) =>
        importMetaStore({
          ...options,
          dryRun,
          ...defined({
            component,
            from: from === undefined ? undefined : pathOption({ from }, "from", context),
          }),
        }),
      text: (view) => textOf(view, dryRun, context),
      exitCode: ({ failed }) => (failed.length === 0 ? ExitCode.done : ExitCode.rollback),
    });
  },
};

function textOf(
  { imported, already_there, failed }: ImportView,
  dryRun: boolean,
  { printer }: CommandContext,
): string {
  return [
    `${dryRun ? "Would take over" : "Took over"} ${
      count(imported.length, "entry", "entries")
    }; ${already_there.length} ${already_there.length === 1 ? "was" : "were"} there already.\n`,
    ...imported.map(({ meta_hash, hash }) => `  ${meta_hash}${hash === "" ? "" : ` is ${hash}`}\n`),
    ...failed.map(({ meta_hash, reason }) =>
      printer.style.red(`Left out: ${meta_hash}: ${visible(reason)}\n`)
    ),
  ].join("");
}
