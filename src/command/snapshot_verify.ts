import { ExitCode, UsageError } from "#/core/errors.ts";
import { quoteShort } from "#/core/safe_path.ts";
import { count, formatBytes } from "#/report/mod.ts";
import type { StoreCheck } from "#/store/check_store.ts";
import type { Command, CommandContext, OptionValues } from "./command.ts";
import { problemLines } from "./view_text.ts";
import { defined, flagOption, textOption } from "./values.ts";
import { runWorkspaceReading, workspaceFlags } from "./workspace.ts";

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
    ...workspaceFlags,
  ],
  examples: [
    { command: "backout snapshot verify", note: "the whole store, without reading the data" },
    { command: "backout snapshot verify latest --read-data", note: "one snapshot, every byte" },
    { command: "backout snapshot verify --sample 5", note: "every night another twentieth" },
  ],
  run: async (args, context) => {
    const { verifySnapshot } = await import("#/mod/snapshot.ts");
    const [snapshot] = args.positionals;
    const readData = sampleOf(args.options) ?? flagOption(args.options, "readData");
    return await runWorkspaceReading(args, context, {
      read: (options) => verifySnapshot({ ...options, ...defined({ snapshot }), readData }),
      text: (view) => textOf(view, context),
      exitCode: (view) => view.ok ? ExitCode.done : ExitCode.integrity,
    });
  },
};

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
    : [`${count(view.damaged_chunk_count, "piece")} of data is missing or altered`];
  return [
    ...hit,
    ...view.damaged_manifests.map((name) => `${name} cannot be read`),
    ...view.damaged_packs.map((one) => `${one.name}: ${one.reason}`),
    ...view.damaged_indexes.map((one) => `${one.name}: ${one.reason}`),
    ...chunks,
  ];
}
