/** What the commands on entries of components share: their flags, their options, and how they print. */
import { resolve } from "node:path";
import { ExitCode, UsageError } from "#/core/errors.ts";
import { quoteShort } from "#/core/safe_path.ts";
import { formatBytes, visible } from "#/report/mod.ts";
import type { EntryOptions } from "#/component/entry/stores.ts";
import type { CommandContext, OptionSpec, OptionValues, ParsedArguments } from "./command.ts";
import { printView } from "./read.ts";
import { absoluteLocation, isRemote } from "./repository_flags.ts";
import { defined, listOption, textOption } from "./values.ts";
import { startWatch } from "./watch.ts";
import { workspaceFlags, workspaceOptions } from "./workspace.ts";

const GROUP = "Stores:";

export const entryFlags: readonly OptionSpec[] = [
  {
    flags: "--remote <location>",
    description: "a store that is shared: folder, s3://bucket/prefix or gs://bucket/prefix",
    completes: "folder",
    group: GROUP,
  },
  ...workspaceFlags.map((flag) => ({ ...flag, group: GROUP })),
];

export const sourceFlag: OptionSpec = {
  flags: "--source <path>",
  description: "folder or file (default: components/NAME)",
  completes: "file",
};

export const targetFolderFlag: OptionSpec = {
  flags: "--target <path>",
  description: "where it is written; whole, or not at all",
  completes: "folder",
  required: true,
};

export const replaceFlag: OptionSpec = {
  flags: "--replace",
  description: "let go of what is at the target",
};

export const excludeFlag: OptionSpec = {
  flags: "--exclude <glob>",
  description: "leave out: a name (*.log), or a path below the source (repeatable)",
  repeat: true,
  completes: "none",
};

export const labelFlag: OptionSpec = {
  flags: "--label <name=value>",
  description: "what else is to be known of it (repeatable)",
  repeat: true,
  completes: "none",
};

export interface EntryWork<View> {
  readonly work: (options: EntryOptions) => Promise<View>;
  readonly text: (view: View) => string;
  /** @default 0 */
  readonly exitCode?: (view: View) => ExitCode;
  /** Whether it knows what `--dry-run` is, or changes nothing. @default false: `--dry-run` is refused */
  readonly hasDryRun?: boolean;
}

/** Runs a command on entries. Warnings go to standard error, and into the document. @throws {RollbackError} */
export async function runEntries<View extends object>(
  args: ParsedArguments,
  context: CommandContext,
  { work, text, exitCode, hasDryRun = false }: EntryWork<View>,
): Promise<ExitCode> {
  if (context.globals.dryRun && !hasDryRun) {
    throw new UsageError("This command has no dry run", {
      hint: "Leave out --dry-run; `backout store list` and `backout cache list` show what there is.",
    });
  }
  const warnings: string[] = [];
  const { view } = await watched(args, context, warnings, work);
  printView({ ...view, warnings }, () => text(view), context);
  return exitCode?.(view) ?? ExitCode.done;
}

async function watched<View>(
  args: ParsedArguments,
  context: CommandContext,
  warnings: string[],
  work: (options: EntryOptions) => Promise<View>,
): Promise<{ readonly view: View }> {
  using watch = startWatch(context);
  const { folder, store, env, signal } = await workspaceOptions(args.options, context);
  const { printer } = context;
  const options: EntryOptions = {
    ...{ folder, store, env, signal, remote: remoteOption(args.options, context) },
    onWarning: (message) => {
      warnings.push(message);
      watch.onEvent({ event: "warning", time: new Date().toISOString(), message });
      printer.line(printer.style.yellow(`Warning: ${visible(message)}`));
    },
    onWait: (holders) => {
      const holder = holders.join("; ");
      watch.onEvent({ event: "waiting_for_lock", time: new Date().toISOString(), holder });
    },
  };
  return { view: await work(options) };
}

/** @throws {UsageError} `--offline` forbids it */
export function remoteOption(values: OptionValues, context: CommandContext): string | undefined {
  const remote = textOption(values, "remote");
  if (remote === undefined) return undefined;
  if (remote === "") {
    throw new UsageError("--remote is empty", { hint: "Give s3://bucket/prefix, for example." });
  }
  if (context.globals.offline && isRemote(remote)) {
    throw new UsageError(`Cannot use ${quoteShort(remote)} with --offline: it needs the network`, {
      hint: "Leave out --offline, or --remote: what is kept here is sent later.",
    });
  }
  return absoluteLocation(remote, context);
}

/** A path that was given, from the working folder; undefined where none was. */
export function pathOption(values: OptionValues, name: string, context: CommandContext): string | undefined {
  const path = textOption(values, name);
  if (path === "") throw new UsageError(`--${name} is empty`);
  return path === undefined ? undefined : resolve(context.cwd, path);
}

/** `--label a=1 --label b=2`. @throws {UsageError} */
export function labelsOf(values: OptionValues): Readonly<Record<string, string>> | undefined {
  const given = listOption(values, "label");
  if (given.length === 0) return undefined;
  return Object.fromEntries(given.map((text) => {
    const at = text.indexOf("=");
    if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
    throw new UsageError(`Cannot use ${quoteShort(text)} as a label: it has no NAME=VALUE`, {
      hint: "For example --label build=1234.",
    });
  }));
}

/** What every command about files of a component is told of them. */
export function sourceOptions(
  values: OptionValues,
  context: CommandContext,
): { readonly source?: string; readonly exclude?: readonly string[] } {
  const exclude = listOption(values, "exclude");
  return defined({
    source: pathOption(values, "source", context),
    exclude: exclude.length === 0 ? undefined : exclude,
  });
}

/** What became of the remote store, for people; empty where none was given. */
export function remoteWords(state: "sent" | "already there" | "waiting" | null): string {
  switch (state) {
    case "sent":
      return ", and in the remote store";
    case "already there":
      return "; the remote store had it already";
    case "waiting":
      return "; it waits for the remote store";
    case null:
      return "";
    default:
      return state satisfies never;
  }
}

/** `3 files, 1.2 MiB`. */
export function sizeWords({ files, bytes }: { readonly files: number; readonly bytes: number }): string {
  return `${files} file${files === 1 ? "" : "s"}, ${formatBytes(bytes)}`;
}
