import { ExitCode } from "#/core/errors.ts";
import { count, formatBytes, visible } from "#/report/mod.ts";
import type { Command, CommandContext } from "./command.ts";
import { entryFlags, runEntries } from "./entry_run.ts";
import { integrityCode } from "./read.ts";
import { flagOption } from "./values.ts";

export const command: Command = {
  summary: "Send what waits for the remote store",
  description:
    "Send the entries and cached builds that could not be sent when they were made. With --all, everything that this " +
    "machine's store has. Exit code 52 when the remote store cannot be reached, 54 when an entry is damaged here.",
  options: [{ flags: "--all", description: "also what was never meant to be sent" }, ...entryFlags],
  examples: [{ command: "backout store sync --remote s3://bucket/store", note: "when it is back" }],
  run: async (args, context) => {
    const { syncEntries } = await import("#/mod/entries.ts");
    const { dryRun } = context.globals;
    return await runEntries(args, context, {
      hasDryRun: true,
      work: async (options) => {
        const sent = await syncEntries({ ...options, dryRun, all: flagOption(args.options, "all") });
        return {
          ...sent ?? { sent: [], already_there: [], failed: [], bytes: 0 },
          reached: sent !== undefined,
        };
      },
      text: (view) => textOf(view, context),
      exitCode: (view) => (view.reached ? integrityCode(view.failed) : ExitCode.storage),
    });
  },
};

interface View {
  readonly sent: readonly string[];
  readonly already_there: readonly string[];
  readonly failed: readonly { readonly id: string; readonly reason: string }[];
  readonly bytes: number;
  readonly reached: boolean;
}

function textOf(
  { sent, already_there, failed, bytes, reached }: View,
  { printer, globals }: CommandContext,
): string {
  if (!reached) return "Nothing was sent.\n";
  return [
    `${globals.dryRun ? "Would send" : "Sent"} ${count(sent.length, "entry", "entries")} (${
      formatBytes(bytes)
    }); ${already_there.length} ${already_there.length === 1 ? "was" : "were"} there already.\n`,
    ...failed.map(({ id, reason }) => printer.style.red(`Not sent: ${visible(id)}: ${visible(reason)}\n`)),
  ].join("");
}
