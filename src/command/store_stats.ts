import { count, formatBytes, renderTable } from "#/report/mod.ts";
import type { EntryStats } from "#/component/store/list.ts";
import type { Command, CommandContext } from "./command.ts";
import { entryFlags, runEntries } from "./entry_run.ts";
import { factLines } from "./view_text.ts";

export const command: Command = {
  summary: "Show how much the store holds",
  description: "Count entries and bytes, of each component and of the whole store.",
  options: entryFlags,
  examples: [{ command: "backout store stats --remote s3://bucket/store", note: "here and there" }],
  run: async (args, context) => {
    const { entryStats } = await import("#/mod/entries.ts");
    return await runEntries(args, context, {
      hasDryRun: true,
      work: (options) => entryStats({ ...options, kind: "store" }),
      text: (view) => statsText(view, context),
    });
  },
};

export function statsText(view: EntryStats, context: CommandContext): string {
  const { remote } = view;
  const facts = factLines([
    [
      "Store",
      `${view.store} (${formatBytes(view.store_bytes)} in ${count(view.packs, "pack")}, snapshots included)`,
    ],
    ["Entries", `${view.entries}, ${view.pinned} pinned, ${view.waiting} waiting to be sent`],
    ["Written out", `${count(view.files, "file")}, ${formatBytes(view.bytes)}`],
    [
      "Remote",
      remote === null
        ? undefined
        : `${remote.location}: ${count(remote.entries, "entry", "entries")}, ${
          formatBytes(remote.store_bytes)
        }`,
    ],
    [".meta-store", view.meta_store === 0 ? undefined : count(view.meta_store, "entry", "entries")],
  ]);
  if (view.components.length === 0) return facts;
  const rows = view.components.map((
    it,
  ) => [it.component, String(it.entries), formatBytes(it.bytes), it.newest]);
  const table = renderTable([["COMPONENT", "ENTRIES", "SIZE", "NEWEST"], ...rows], {
    ...{ style: context.printer.style, width: context.stdoutWidth, right: [1, 2] },
  });
  return `${facts}\n${table}`;
}
