/** The way of every reading command: read, print, mention an unfinished operation. */
import { ExitCode } from "#/core/errors.ts";
import { formatJson } from "#/core/json.ts";
import type { RepositoryOptions } from "#/repository/options.ts";
import type { CommandContext, ParsedArguments } from "./command.ts";
import { repositoryOptions } from "./context.ts";
import { placeFlags, withPlace } from "./place.ts";

export interface Reading<View> {
  readonly read: (options: RepositoryOptions) => Promise<View>;
  /** The view for people. */
  readonly text: (view: View) => string;
  /** Where it reads. @default the repository */
  readonly options?: typeof repositoryOptions;
  /** What the exit code says about it. @default 0 */
  readonly exitCode?: (view: View) => ExitCode;
}

/** Runs a reading command. @throws {RollbackError} */
export async function runReading<View>(
  args: ParsedArguments,
  context: CommandContext,
  reading: Reading<View>,
): Promise<ExitCode> {
  const options = await (reading.options ?? repositoryOptions)(args.options, context);
  const view = await reading.read(options);
  const place = placeFlags(args, context, options);
  printView(view, (shown) => withPlace(reading.text(shown), place), context);
  await noteUnfinished(options, context, place);
  return reading.exitCode?.(view) ?? ExitCode.done;
}

/** One view as a document: JSON as it is, text as rendered. */
export function printView<View>(view: View, text: (view: View) => string, context: CommandContext): void {
  context.printer.out(context.globals.output === "json" ? formatJson(view) : text(view));
}

async function noteUnfinished(
  options: RepositoryOptions,
  context: CommandContext,
  place: string,
): Promise<void> {
  const { unfinishedNote } = await import("#/mod/release.ts");
  const note = await unfinishedNote(options);
  if (note !== undefined) context.printer.line(context.printer.style.yellow(withPlace(note, place)));
}

/** 0 without problems, 54 with. */
export function integrityCode(problems: readonly unknown[]): ExitCode {
  return problems.length === 0 ? ExitCode.done : ExitCode.integrity;
}
