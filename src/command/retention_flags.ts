/** The rules of retention from flags, over those of the configuration. */
import { UsageError } from "#/core/errors.ts";
import { quoteShort } from "#/core/safe_path.ts";
import type { HistoryRules, RetentionSettings } from "#/policy/retention.ts";
import type { CommandContext, OptionSpec, OptionValues } from "./command.ts";
import { lazyConfig } from "./context.ts";
import { defined, parseDuration, parseSize, textOption } from "./values.ts";

const KEEP = "Rules (each over the one in backout.yaml; 0 turns it off):";

const COUNTS = [
  ["keepLast", "--keep-last", "this many of the newest; size limits do not go below it"],
  ["keepHourly", "--keep-hourly", "the newest of each of this many hours that have any (UTC)"],
  ["keepDaily", "--keep-daily", "likewise days"],
  ["keepWeekly", "--keep-weekly", "weeks, from Monday on"],
  ["keepMonthly", "--keep-monthly", "months"],
  ["keepYearly", "--keep-yearly", "years"],
] as const;

export const retentionFlags: readonly OptionSpec[] = [
  ...COUNTS.map(([, flag, description]): OptionSpec => ({
    flags: `${flag} <n>`,
    description,
    completes: "none",
    group: KEEP,
  })),
  rule("--keep-within <duration>", "everything younger than this, e.g. 90d"),
  rule("--max-size <size>", "what all backups may take together, e.g. 20GiB; the oldest go first"),
  rule("--min-free <size>", "what must be free on their disk; the oldest go first"),
  rule("--history-keep-last <n>", "this many of the newest history records, at least 50"),
  rule("--history-keep-within <duration>", "history records younger than this (default: all)"),
];

function rule(flags: string, description: string): OptionSpec {
  return { flags, description, completes: "none", group: KEEP };
}

/** @throws {UsageError} when a value cannot be read, or the configuration is wrong */
export async function retentionRules(
  options: OptionValues,
  context: CommandContext,
): Promise<RetentionSettings> {
  const config = (await lazyConfig(context)())?.retention ?? {};
  const history: HistoryRules = {
    ...config.history,
    ...defined({
      keepLast: amount(options, "historyKeepLast", "--history-keep-last"),
      keepWithin: span(options, "historyKeepWithin", "--history-keep-within"),
    }),
  };
  const counts = COUNTS.map(([name, flag]) => [name, amount(options, name, flag)]);
  return {
    ...config,
    ...defined(Object.fromEntries(counts) as RetentionSettings),
    ...defined({
      keepWithin: span(options, "keepWithin", "--keep-within"),
      maxBytes: size(options, "maxSize", "--max-size"),
      minFreeBytes: size(options, "minFree", "--min-free"),
    }),
    ...(Object.keys(history).length === 0 ? {} : { history }),
  };
}

function amount(options: OptionValues, name: string, flag: string): number | undefined {
  const text = textOption(options, name);
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(`Cannot use ${quoteShort(text)} for ${flag}: it is not a whole number from 0 on`);
}

/** `0` turns the rule off, as for the counts. */
function span(options: OptionValues, name: string, flag: string): number | undefined {
  const text = textOption(options, name);
  if (text === undefined) return undefined;
  return text === "0" ? 0 : parseDuration(text, flag);
}

function size(options: OptionValues, name: string, flag: string): number | undefined {
  const text = textOption(options, name);
  return text === undefined ? undefined : parseSize(text, flag);
}
