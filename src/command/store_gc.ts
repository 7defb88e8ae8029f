import { count, formatBytes, visible } from "#/report/mod.ts";
import type { GcReport } from "#/component/store/gc.ts";
import type { Command, CommandContext } from "./command.ts";
import { entryFlags, runEntries } from "./entry_run.ts";
import { defined, parseDuration, textOption } from "./values.ts";

export const command: Command = {
  summary: "Let go of entries and cached builds that nothing needs",
  description:
    "Delete entries that are old enough and that nothing keeps: no pin, no lock file or manifest that names their hash, and " +
    "a newer one of the same component. It works in two steps: what is found without a use goes with a later run, when it " +
    "has been so for the minimum age; what is added again meanwhile stays. Then the space that no manifest refers to is " +
    "freed, as by `snapshot collect`. With --remote it is that store which is collected.",
  options: [
    {
      flags: "--min-age <duration>",
      description: "how old, and then how long without a use (default: 1d; with --remote 30d)",
      completes: "none",
    },
    ...entryFlags,
  ],
  examples: [
    { command: "backout store gc --dry-run", note: "what stays, what goes, and why" },
    { command: "backout store gc --min-age 14d", note: "every night" },
  ],
  run: async (args, context) => {
    const { collectEntries } = await import("#/mod/entries.ts");
    const age = textOption(args.options, "minAge");
    const minAgeMs = age === undefined ? undefined : age === "0" ? 0 : parseDuration(age, "--min-age");
    const { dryRun, lockTimeoutMs } = context.globals;
    return await runEntries(args, context, {
      hasDryRun: true,
      work: (options) => collectEntries({ ...options, dryRun, lockTimeoutMs, ...defined({ minAgeMs }) }),
      text: (view) => textOf(view, context),
    });
  },
};

function textOf(view: GcReport, context: CommandContext): string {
  const { style, verbose } = context.printer;
  const would = view.dry_run ? "Would let go of" : "Let go of";
  const named = (list: GcReport["kept"]) =>
    list.map((it) =>
      `  ${it.id.replace("~", " ").slice(0, 22)} ${visible(it.component)}: ${visible(it.reason)}\n`
    ).join("");
  const bytes = view.collected === null ? "" : `, ${formatBytes(view.collected.removed_bytes)} freed`;
  const kept = view.dry_run || verbose ? named(view.kept) : "";
  return [
    `${would} ${count(view.removed.length, "entry", "entries")}${bytes}; ${view.kept.length} stay.\n`,
    named(view.removed),
    view.doomed.length === 0 ? "" : `Without a use, and to go in a later run:\n${named(view.doomed)}`,
    kept === "" ? "" : `Kept:\n${kept}`,
    view.deferred === null ? "" : style.yellow(`Nothing was deleted: ${visible(view.deferred)}\n`),
    ...(view.collected?.warnings ?? []).map((warning) => style.yellow(`Warning: ${visible(warning)}\n`)),
  ].join("");
}
