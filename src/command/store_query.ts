import { UsageError } from "#/core/errors.ts";
import { quoteShort } from "#/core/safe_path.ts";
import type { Command, OptionValues } from "./command.ts";
import { entryTable } from "./entry_list.ts";
import { entryFlags, labelFlag, labelsOf, runEntries } from "./entry_run.ts";
import { defined, flagOption, textOption } from "./values.ts";

export const command: Command = {
  summary: "Find entries of the store by what is known of them",
  description:
    "List the entries for which everything that is given holds. With --quiet and --json made for scripts.",
  options: [
    { flags: "--component <name>", description: "of this component", completes: "none" },
    { flags: "--component-version <version>", description: "of this version of it", completes: "none" },
    { flags: "--hash <hash>", description: "whose hash begins so", completes: "none" },
    labelFlag,
    { flags: "--pinned", description: "only pinned ones" },
    { flags: "--since <time>", description: "made then or later (RFC 3339)", completes: "none" },
    { flags: "--until <time>", description: "made then or before (RFC 3339)", completes: "none" },
    ...entryFlags,
  ],
  examples: [
    {
      command: "backout store query --component user-api --component-version v1.2.0 --json",
      note: "for scripts",
    },
    { command: "backout store query --label build=1234", note: "what a pipeline's run kept" },
  ],
  run: async (args, context) => {
    const { listAllEntries } = await import("#/mod/entries.ts");
    const { options: values } = args;
    const filter = defined({
      component: textOption(values, "component"),
      version: textOption(values, "componentVersion"),
      hash: textOption(values, "hash"),
      labels: labelsOf(values),
      pinned: flagOption(values, "pinned") || undefined,
      since: timeOption(values, "since"),
      until: timeOption(values, "until"),
    });
    return await runEntries(args, context, {
      hasDryRun: true,
      work: (options) => listAllEntries({ ...options, kind: "store", filter }),
      text: (view) => entryTable(view, context, "HASH"),
    });
  },
};

function timeOption(values: OptionValues, name: string): number | undefined {
  const text = textOption(values, name);
  if (text === undefined) return undefined;
  const time = /^\d{4}-\d\d-\d\d([T ].*)?$/.test(text) ? Date.parse(text) : NaN;
  if (!Number.isNaN(time)) return time;
  throw new UsageError(`Cannot use ${quoteShort(text)} for --${name}: it is not a time`, {
    hint: "For example 2026-11-30T08:00:00Z.",
  });
}
