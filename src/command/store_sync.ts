import { UsageError } from "#/core/errors.ts";
import { count, formatBytes, visible } from "#/report/mod.ts";
import type { SyncReport } from "#/store/sync.ts";
import type { Command, CommandContext } from "./command.ts";
import { integrityCode, printView } from "./read.ts";
import { absoluteLocation } from "./repository_flags.ts";
import { defined, textOption } from "./values.ts";
import { workspaceFlags, workspaceOptions } from "./workspace.ts";

export const command: Command = {
  summary: "Bring snapshots of the fallback into the store",
  description:
    "Copy the snapshots that were kept in the fallback, while the store could not be reached, into the store, and take " +
    "them out of the fallback. With --from or --to, copy between two stores; then nothing is taken out. What is there " +
    "already is not copied again. Exit code 54 when a snapshot is damaged and could not be copied.",
  options: [
    { flags: "--from <location>", description: "copy from this store instead", completes: "folder" },
    { flags: "--to <location>", description: "copy the store to this one instead", completes: "folder" },
    ...workspaceFlags,
  ],
  examples: [
    { command: "backout snapshot sync", note: "when the store can be reached again" },
    { command: "backout snapshot sync --to /mnt/usb/snapshots", note: "a second copy" },
  ],
  run: async (args, context) => {
    const { syncStore } = await import("#/mod/snapshot.ts");
    const place = (name: string) => {
      const location = textOption(args.options, name);
      return location === undefined ? undefined : absoluteLocation(location, context);
    };
    const [from, to] = [place("from"), place("to")];
    if (from !== undefined && to !== undefined) {
      throw new UsageError("--from and --to were given; one of the two stores is the configured one", {
        hint: "Give one of them, and the other store with --store.",
      });
    }
    const options = await workspaceOptions(args.options, context);
    const report = await syncStore({ ...options, ...defined({ from, to }) });
    if (report === undefined) {
      throw new UsageError("There is nothing to copy from: no fallback is configured", {
        hint:
          "Give --from LOCATION or --to LOCATION, or write `store: {location: …, fallback: …}` into backout.yaml.",
      });
    }
    printView(report, () => textOf(report, context), context);
    return integrityCode(report.failed);
  },
};

function textOf(report: SyncReport, { printer }: CommandContext): string {
  const { style } = printer;
  const verb = report.dry_run ? "Would copy" : "Copied";
  const lines = [
    `${verb} ${count(report.copied.length, "snapshot")} from ${visible(report.from)} to ${
      visible(report.to)
    }` +
    `${report.bytes > 0 ? ` (${formatBytes(report.bytes)})` : ""}; ${report.already_there.length} ${
      report.already_there.length === 1 ? "was" : "were"
    } there already.`,
    ...(report.removed.length === 0 ? [] : [`Taken out of the first store: ${report.removed.join(", ")}`]),
    ...report.conflicts.map((id) =>
      style.yellow(`Left as it is: another snapshot there has the id ${visible(id)}`)
    ),
    ...report.failed.map(({ id, reason }) => style.red(`Not copied: ${visible(id)}: ${visible(reason)}`)),
  ];
  return lines.join("\n") + "\n";
}
