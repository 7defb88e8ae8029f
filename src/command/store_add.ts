import { visible } from "#/report/mod.ts";
import type { Command } from "./command.ts";
import {
  entryFlags,
  excludeFlag,
  labelFlag,
  labelsOf,
  remoteWords,
  runEntries,
  sizeWords,
  sourceFlag,
  sourceOptions,
} from "./entry_run.ts";
import { defined, flagOption, textOption } from "./values.ts";

export const command: Command = {
  summary: "Keep files of a component under their hash",
  description:
    "Keep a folder or a file in the store, and print its hash: the same files always have the same. What the store has " +
    "already is not stored again. Modes and symlinks are kept; .git and .backout at the top are left out. With --remote it " +
    "is sent there too; where that store cannot be reached, it waits here and is sent by the next command that can.",
  arguments: [{ name: "<component>", description: "name of the component" }],
  options: [
    sourceFlag,
    excludeFlag,
    {
      flags: "--component-version <version>",
      description: "of the component (default: the manifest's)",
      completes: "none",
    },
    { flags: "--description <text>", description: "for people", completes: "none" },
    labelFlag,
    { flags: "--pin", description: "never let `store gc` take it" },
    ...entryFlags,
  ],
  examples: [
    { command: "backout store add user-api", note: "the checkout in components/user-api" },
    { command: "backout store add user-api --source dist --remote s3://bucket/store", note: "and share it" },
  ],
  run: async (args, context) => {
    const { addToStore } = await import("#/mod/entries.ts");
    const { options: values, positionals: [component = ""] } = args;
    return await runEntries(args, context, {
      hasDryRun: true,
      work: (options) =>
        addToStore({
          ...options,
          component,
          dryRun: context.globals.dryRun,
          ...sourceOptions(values, context),
          ...defined({
            version: textOption(values, "componentVersion"),
            description: textOption(values, "description"),
            labels: labelsOf(values),
            pin: flagOption(values, "pin") || undefined,
          }),
        }),
      text: ({ entry, is_new, remote }) => {
        const state = is_new ? context.globals.dryRun ? "Would keep" : "Kept" : "The store has it already:";
        context.printer.line(
          `${state} ${visible(entry.component)} (${sizeWords(entry)})${remoteWords(remote)}`,
        );
        return `${entry.hash}\n`;
      },
    });
  },
};
