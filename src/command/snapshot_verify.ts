import { ExitCode, UsageError } from "#/core/errors.ts";
import { quoteShort } from "#/core/safe_path.ts";
import { count, formatBytes, visible } from "#/report/mod.ts";
import type { StoreCheck } from "#/store/check_store.ts";
import type { Command, CommandContext, OptionValues, ParsedArguments } from "./command.ts";
import { problemLines } from "./view_text.ts";
import { defined, flagOption, textOption } from "./values.ts";
import { startWatch } from "./watch.ts";
import { runWorkspaceReading, workspaceFlags, workspaceOptions } from "./workspace.ts";

export const command: Command = {
  summary: "Check that snapshots can be read",
  description:
    "Check that everything a snapshot refers to is there, and with --read-data that every byte of it is what was " +
    "written. Exit code 54 when something is missing or altered; it names the snapshots that are hit.",
  arguments: [{ name: "[id]", description: "only this snapshot (default: the whole store)" }],
  options: [
    { flags: "--read-data", description: "read every byte and compare digests" },
    {
      flags: "--sample <percent>",
      description: "read this share of the data, chosen at random",
      completes: "none",
    },
    {
      flags: "--repair-index",
      description: "first make lost or damaged indexes anew, from what the packs say of themselves",
    },
    ...workspaceFlags,
  ],
  examples: [
    { command: "backout snapshot verify", note: "the whole store, without reading the data" },
    { command: "backout snapshot verify latest --read-data", note: "one snapshot, every byte" },
    { command: "backout snapshot verify --repair-index", note: "after an index was lost" },
    { command: "backout snapshot verify --sample 5", note: "every night another twentieth" },
  ],
  run: async (args, context) => {
    const { verifySnapshot } = await import("#/mod/snapshot.ts");
    if (flagOption(args.options, "repairIndex")) await repair(args, context);
    const [snapshot] = args.positionals;
    const readData = sampleOf(args.options) ?? flagOption(args.options, "readData");
    return await runWorkspaceReading(args, context, {
      read: (options) => verifySnapshot({ ...options, ...defined({ snapshot }), readData }),
      text: (view) => textOf(view, context),
      exitCode: (view) => view.ok ? ExitCode.done : ExitCode.integrity,
    });
  },
};

/** Changes only indexes; what it did is said apart from the answer about what there is then. */
async function repair(args: ParsedArguments, context: CommandContext): Promise<void> {
  if (context.globals.dryRun) {
    throw new UsageError("--repair-index was given with --dry-run", {
      hint: "Without --repair-index nothing is changed: that shows what is damaged.",
    });
  }
  const { repairStoreIndex } = await import("#/mod/snapshot.ts");
  using watch = startWatch(context);
  const options = await workspaceOptions(args.options, context, watch.onEvent);
  const report = await repairStoreIndex(options);
  if (report === undefined) return;
  const { added_packs, dropped_packs, removed_indexes, unreadable_packs } = report;
  context.printer.line(
    `Repaired the index: ${count(added_packs, "pack")} added, ${dropped_packs.length} dropped, ` +
      `${count(removed_indexes.length, "damaged index", "damaged indexes")} removed.`,
  );
  for (const { name, reason } of unreadable_packs) {
    context.printer.line(`${name} does not say what is in it: ${visible(reason)}`);
  }
}

function sampleOf(values: OptionValues): number | undefined {
  const text = textOption(values, "sample");
  if (text === undefined) return undefined;
  const percent = /^\d{1,3}(\.\d{1,3})?%?$/.test(text) ? Number.parseFloat(text) : 0;
  if (percent > 0 && percent <= 100) return percent;
  throw new UsageError(`Cannot use ${quoteShort(text)} for --sample: it is not a share from 0 to 100`, {
    hint: "For example --sample 5.",
  });
}

function textOf(view: StoreCheck, { printer }: CommandContext): string {
  const read = view.read.chunks === 0 ? "data not read" : `${formatBytes(view.read.bytes)} of data read`;
  const checked = `${view.location}: ${count(view.snapshots, "snapshot")}, ${
    formatBytes(view.bytes)
  }, ${read}`;
  return problemLines(checked, problemsOf(view), printer.style);
}

function problemsOf(view: StoreCheck): readonly string[] {
  const hit = view.hit.map(({ id, targets }) => {
    const named = targets.map(({ name, reason }) => reason === "" ? name : `${name} (${reason})`);
    return `the snapshot ${id} cannot be restored whole: ${named.join(", ")}`;
  });
  const chunks = view.damaged_chunk_count === 0
    ? []
    : [`${count(view.damaged_chunk_count, "piece of data is", "pieces of data are")} missing or altered`];
  const isIndexLost = view.damaged_indexes.length > 0 ||
    view.damaged_chunk_count > 0 && view.unfinished_packs > 0;
  const lost = isIndexLost
    ? ["an index can be made anew from the packs: backout snapshot verify --repair-index"]
    : [];
  return [
    ...hit,
    ...view.damaged_manifests.map((name) => `${name} cannot be read`),
    ...view.damaged_packs.map((one) => `${one.name}: ${one.reason}`),
    ...view.damaged_indexes.map((one) => `${one.name}: ${one.reason}`),
    ...chunks,
    ...packsWith(view),
    ...lost,
  ];
}

/** The files that have altered data. */
function packsWith({ damaged_chunks }: StoreCheck): readonly string[] {
  const packs = damaged_chunks.flatMap(({ pack, reason }) => pack === undefined ? [] : [{ pack, reason }]);
  return [...new Map(packs.map(({ pack, reason }) => [pack, `${pack}: ${reason}`])).values()];
}
