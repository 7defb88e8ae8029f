import { ExitCode } from "#/core/errors.ts";
import { count, formatBytes, visible } from "#/report/mod.ts";
import type { CollectReport } from "#/store/collect.ts";
import type { Command, CommandContext } from "./command.ts";
import { printView } from "./read.ts";
import { defined, parseDuration, textOption } from "./values.ts";
import { startWatch } from "./watch.ts";
import { workspaceFlags, workspaceOptions } from "./workspace.ts";

export const command: Command = {
  summary: "Free the space of what no snapshot needs",
  description:
    "Take away the data that no snapshot of the store refers to any more. It works in two steps, so that nothing is lost " +
    "that somebody else is writing or reading: what is found without a use is taken away by a later run, when it has been " +
    "so for the minimum age.",
  options: [
    {
      flags: "--min-age <duration>",
      description: "how long data must have been without a use (default: 1h)",
      completes: "none",
    },
    ...workspaceFlags,
  ],
  examples: [
    { command: "backout snapshot collect", note: "every night, after retention" },
    { command: "backout snapshot collect --dry-run", note: "see how much it would be" },
  ],
  run: async (args, context) => {
    const { collectStore } = await import("#/mod/snapshot.ts");
    const age = textOption(args.options, "minAge");
    const minAgeMs = age === undefined ? undefined : age === "0" ? 0 : parseDuration(age, "--min-age");
    using watch = startWatch(context);
    const options = await workspaceOptions(args.options, context, watch.onEvent);
    const report = await collectStore({ ...options, ...defined({ minAgeMs }) });
    printView(report ?? { store: null }, () => textOf(report, context), context);
    return ExitCode.done;
  },
};

function textOf(report: CollectReport | undefined, { printer }: CommandContext): string {
  if (report === undefined) return "There is no snapshot store yet.\n";
  const { style } = printer;
  const verb = report.dry_run ? "Would free" : "Freed";
  const lines = [
    `${verb} ${formatBytes(report.removed_bytes)} (${count(report.removed_packs, "pack")}); ` +
    `${count(report.snapshots, "snapshot uses", "snapshots use")} what stays.`,
  ];
  if (report.moved_packs > 0) {
    lines.push(
      `${count(report.moved_packs, "pack was", "packs were")} mostly unused: what is needed was moved out.`,
    );
  }
  if (report.waiting_packs > 0) {
    const until = report.waiting_until === null ? "" : `, from ${report.waiting_until} on`;
    lines.push(`Another ${formatBytes(report.waiting_bytes)} are not used, and go in a later run${until}.`);
  }
  if (report.deferred !== null) lines.push(`Nothing was taken away: ${visible(report.deferred)}`);
  lines.push(...report.warnings.map((warning) => style.yellow(`Warning: ${visible(warning)}`)));
  return lines.join("\n") + "\n";
}
