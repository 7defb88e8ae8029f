/** The rules of retention from flags, over those of the configuration. */
import { UsageError } from "#/core/errors.ts";
import { quoteShort } from "#/core/safe_path.ts";
import type { HistoryRules, KeepRules, RetentionSettings } from "#/policy/retention.ts";
import type { SnapshotRetentionSettings } from "#/policy/retention_snapshots.ts";
import type { CommandContext, OptionSpec, OptionValues } from "./command.ts";
import { lazyConfig } from "./context.ts";
import { defined, parseDuration, parseSize, textOption } from "./values.ts";
import { placesOf } from "./workspace.ts";

const KEEP = "Rules (each over the one in backout.yaml; 0 turns it off):";

const COUNTS = [
  ["keepLast", "--keep-last", "this many of the newest; size limits do not go below it"],
  ["keepHourly", "--keep-hourly", "the newest of each of this many hours that have any (UTC)"],
  ["keepDaily", "--keep-daily", "likewise days"],
  ["keepWeekly", "--keep-weekly", "weeks, from Monday on"],
  ["keepMonthly", "--keep-monthly", "months"],
  ["keepYearly", "--keep-yearly", "years"],
] as const;

export const retentionFlags: readonly OptionSpec[] = keepFlags("backups");
export const snapshotRetentionFlags: readonly OptionSpec[] = keepFlags("snapshots");

function keepFlags(what: string): readonly OptionSpec[] {
  return [
    ...COUNTS.map(([, flag, description]) => rule(`${flag} <n>`, description)),
    rule("--keep-within <duration>", "everything younger than this, e.g. 90d"),
    rule("--max-size <size>", `what all ${what} may take together, e.g. 20GiB; the oldest go first`),
    rule("--min-free <size>", "what must be free on their disk; the oldest go first"),
    rule("--history-keep-last <n>", "this many of the newest history records, at least 50"),
    rule("--history-keep-within <duration>", "history records younger than this (default: all)"),
  ];
}

function rule(flags: string, description: string): OptionSpec {
  return { flags, description, completes: "none", group: KEEP };
}

/** @throws {UsageError} when a value cannot be read, or the configuration is wrong */
export async function retentionRules(
  options: OptionValues,
  context: CommandContext,
): Promise<RetentionSettings> {
  await refuseWorkspace(options, context);
  return withGivenRules((await lazyConfig(context)())?.retention ?? {}, options);
}

/** Who runs this beside a repository is told what is for snapshots. @throws {UsageError} */
async function refuseWorkspace(options: OptionValues, context: CommandContext): Promise<void> {
  const { repository, workspace } = await placesOf(options, context);
  if (repository || !workspace) return;
  throw new UsageError("There is no repository with backups here, only a workspace with snapshots", {
    hint:
      "Snapshots have rules and a command of their own: backout snapshot prune --dry-run. For backups add " +
      "-r FOLDER, or write `repository:` into backout.yaml.",
  });
}

/**
 * Likewise over the `snapshots.retention` block: the classes with rules of their own keep them.
 * @throws {UsageError} when a value cannot be read, or the configuration is wrong
 */
export async function snapshotRetentionRules(
  options: OptionValues,
  context: CommandContext,
): Promise<SnapshotRetentionSettings> {
  return withGivenRules((await lazyConfig(context)())?.snapshots?.retention ?? {}, options);
}

function withGivenRules<R extends RetentionSettings>(config: R, options: OptionValues): R {
  const history: HistoryRules = {
    ...config.history,
    ...defined({
      keepLast: amount(options, "historyKeepLast", "--history-keep-last"),
      keepWithin: span(options, "historyKeepWithin", "--history-keep-within"),
    }),
  };
  return {
    ...config,
    ...givenRules(options),
    ...(Object.keys(history).length === 0 ? {} : { history }),
  };
}

function givenRules(options: OptionValues): Omit<RetentionSettings, "history"> {
  const counts = COUNTS.map(([name, flag]) => [name, amount(options, name, flag)]);
  return {
    ...defined(Object.fromEntries(counts) as KeepRules),
    ...defined({
      keepWithin: span(options, "keepWithin", "--keep-within"),
      maxBytes: size(options, "maxSize", "--max-size"),
      minFreeBytes: size(options, "minFree", "--min-free"),
    }),
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
