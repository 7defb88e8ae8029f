import { visible } from "#/report/mod.ts";
import type { BuiltView } from "#/component/cache/build.ts";
import { inputFlags, inputOptions } from "./cache_flags.ts";
import type { Command } from "./command.ts";
import { entryFlags, remoteWords, runEntries, sizeWords } from "./entry_run.ts";
import { flagOption } from "./values.ts";

export const command: Command = {
  summary: "Build a component, unless that was done already",
  description:
    "Make a key of all that the build depends on: the source's files, the build command of the manifest, variables, the " +
    "component's version. Where this machine's store or --remote has it, nothing runs; otherwise the command does, and what " +
    "it makes is kept. A component without a build command is kept as it is. A cached build that is damaged is not used: " +
    "it is built anew.",
  arguments: [{ name: "<component>", description: "name of the component" }],
  options: [
    ...inputFlags,
    { flags: "--rebuild", description: "build although it is cached, and keep that instead" },
    ...entryFlags,
  ],
  examples: [
    { command: "backout cache build user-api --produces dist", note: "runs only when something changed" },
    { command: "backout cache build user-api --source build/ --remote s3://bucket/cache", note: "share it" },
  ],
  run: async (args, context) => {
    const { buildCached } = await import("#/mod/entries.ts");
    const { options: values, positionals: [component = ""] } = args;
    const { dryRun } = context.globals;
    return await runEntries(args, context, {
      hasDryRun: true,
      work: (options) =>
        buildCached({
          ...options,
          ...{ component, dryRun, force: flagOption(values, "rebuild") },
          ...inputOptions(values, context),
        }),
      text: textOf,
    });
  },
};

function textOf({ component, key, state, from, entry, seconds, log, remote }: BuiltView): string {
  const name = visible(component);
  const size = entry === null ? "" : ` (${sizeWords(entry)})`;
  const short = key.slice(0, 16);
  switch (state) {
    case "hit":
      return `${name} is cached${size}: ${short}, in ${
        from === "remote" ? "the remote store" : "this machine's store"
      }${remoteWords(remote)}\n`;
    case "built":
      return `Built ${name}${size} in ${seconds} s: ${short}${remoteWords(remote)}. Log: ${
        visible(log ?? "")
      }\n`;
    case "kept":
      return `Kept ${name}${size}: ${short}${remoteWords(remote)}\n`;
    case "would build":
      return `Would build ${name}: nothing is cached for ${short}\n`;
    default:
      return state satisfies never;
  }
}
