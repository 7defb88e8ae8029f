/** One command's words into positionals and options, with commander. */
import { UsageError } from "#/core/errors.ts";
import { quoteShort } from "#/core/safe_path.ts";
import type { ArgumentSpec, Command, OptionSpec, OptionValues, ParsedArguments } from "./command.ts";
import { globalOptions } from "./globals.ts";
import type { Command as CommanderCommand } from "commander";

/** The words asked for help instead. */
export class HelpRequested extends Error {}

/**
 * Parses the words of one command.
 * @throws {UsageError} for wrong usage
 * @throws {HelpRequested} for `--help`
 */
export async function parseCommand(
  path: readonly string[],
  command: Pick<Command, "arguments" | "options">,
  words: readonly string[],
): Promise<ParsedArguments> {
  const program = await buildProgram(path, command);
  try {
    program.parse([...words], { from: "user" });
  } catch (error) {
    throw translate(error, path);
  }
  return { positionals: program.args, options: program.opts() as OptionValues };
}

/** Commander's help of one command: usage, arguments and options. */
export async function commandUsage(
  path: readonly string[],
  command: Pick<Command, "arguments" | "options">,
  width: number,
): Promise<string> {
  const program = await buildProgram(path, command);
  program.configureHelp({ helpWidth: width });
  return program.helpInformation();
}

async function buildProgram(
  path: readonly string[],
  command: Pick<Command, "arguments" | "options">,
): Promise<CommanderCommand> {
  const { Argument, Command: Program, Option } = await import("commander");
  const program = new Program(["backout", ...path].join(" "))
    .exitOverride()
    .allowExcessArguments(false)
    .helpOption("-h, --help", "show this help")
    .configureOutput({ writeOut: () => {}, writeErr: () => {} });
  for (const spec of command.arguments ?? []) {
    program.addArgument(withChoices(new Argument(spec.name, spec.description), spec));
  }
  for (const spec of [...command.options ?? [], ...globalOptions]) {
    const option = withChoices(new Option(spec.flags, spec.description), spec);
    if (spec.default !== undefined) option.default(spec.default);
    if (spec.repeat === true) option.argParser(collect);
    if (spec.required === true) option.makeOptionMandatory();
    if (spec.hidden === true) option.hideHelp();
    if (spec.group !== undefined) option.helpGroup(spec.group);
    program.addOption(option);
  }
  return program;
}

function withChoices<T extends { choices(values: readonly string[]): T }>(
  item: T,
  spec: ArgumentSpec | OptionSpec,
): T {
  return spec.choices === undefined ? item : item.choices(spec.choices);
}

function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...previous ?? [], value];
}

function translate(error: unknown, path: readonly string[]): unknown {
  if (!(error instanceof Error)) return error;
  const code = (error as { code?: unknown }).code;
  if (typeof code !== "string" || !code.startsWith("commander.")) return error;
  if (code === "commander.helpDisplayed" || code === "commander.help") return new HelpRequested();
  const [first = "", ...rest] = error.message.trim().split("\n");
  const suggestion = /\(Did you mean (.+)\?\)/.exec(rest.join(" "))?.[1];
  const help = `\`${["backout", ...path].join(" ")} --help\``;
  return new UsageError(plain(sentence(first)), {
    hint: suggestion === undefined ? `See ${help}.` : `Did you mean ${suggestion}? See ${help}.`,
  });
}

/** Commander's sentences in the words of the others. */
function plain(message: string): string {
  const choice =
    /^(?:Command-argument value|Option '(.+)' argument) '(.*)' is invalid(?: for argument '(.+)')?\. Allowed choices are (.+)$/s
      .exec(message);
  if (choice !== null) {
    const [, option, value = "", argument = "", choices = ""] = choice;
    const what = option === undefined ? argument : longName(option);
    return `Cannot use ${quoteShort(value)} as ${what}: choose ${choices.replace(/, ([^,]+)$/, " or $1")}`;
  }
  const missing = /^Required option '(.+)' not specified$/.exec(message);
  if (missing !== null) return `${longName(missing[1]!)} is needed`;
  const bare = /^Option '(.+)' argument missing$/.exec(message);
  return bare === null ? message : `${longName(bare[1]!)} needs a value`;
}

/** `-r, --repository <location>` is `--repository`. */
function longName(flags: string): string {
  return /--[\w-]+/.exec(flags)?.[0] ?? flags;
}

function sentence(message: string): string {
  const text = message.replace(/^error: /, "").replace(/\.$/, "");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
