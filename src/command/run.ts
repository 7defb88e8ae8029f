/** Runs one command line and answers the exit code. Never exits, so that tests call it in-process. */
import { resolve } from "node:path";
import { ExitCode, InterruptedError, RollbackError, UsageError } from "#/core/errors.ts";
import type { StopSignal } from "#/core/errors.ts";
import { formatJson } from "#/core/json.ts";
import type { CommandContext, GlobalOptions, ParsedArguments } from "./command.ts";
import { asksForJson, readGlobals } from "./globals.ts";
import { helpPage } from "./help.ts";
import type { ProcessIo } from "./io.ts";
import { locate } from "./locate.ts";
import type { Located } from "./locate.ts";
import { HelpRequested, parseCommand } from "./parse.ts";
import { placeFlags, withPlace } from "./place.ts";
import { absoluteLocation } from "./repository_flags.ts";

const MAX_HELP_WIDTH = 110;

/**
 * Runs the command line `argv` (the words after `backout`).
 * @returns the exit code; failures are printed, not thrown
 */
export async function run(argv: readonly string[], io: ProcessIo): Promise<ExitCode> {
  if (argv[0] === "--version") return await printVersion(io);
  const stop = new AbortController();
  const signal = AbortSignal.any([io.signal, stop.signal]);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let editHint = (hint: string): string => hint;
  try {
    const located = locate(argv);
    if (located.kind === "help") return await printHelp(located, argv, io);
    const { command } = await located.entry.load();
    const args = await parseCommand(located.entry.path, command, located.words);
    const context = await createContext(argv, args, io, signal);
    editHint = placeEditor(args, context);
    const { timeoutMs } = context.globals;
    if (timeoutMs !== undefined) timer = setTimeout(() => stop.abort("timeout"), timeoutMs);
    return await command.run(args, context);
  } catch (error) {
    return await answerFailure(error, argv, io, signal, editHint);
  } finally {
    clearTimeout(timer);
  }
}

async function printVersion(io: ProcessIo): Promise<ExitCode> {
  const { VERSION } = await import("#/core/version.ts");
  io.stdout.write(`${VERSION}\n`);
  return ExitCode.done;
}

async function printHelp(
  located: Located & { kind: "help" },
  argv: readonly string[],
  io: ProcessIo,
): Promise<ExitCode> {
  await assertOnlyGlobals(located.words);
  await writeHelp(located.path, argv, io);
  return ExitCode.done;
}

/** A page for people; where JSON was asked for, the same as a document. */
async function writeHelp(
  path: readonly string[],
  argv: readonly string[],
  io: ProcessIo,
): Promise<void> {
  const help = await helpPage(path, helpWidth(io));
  io.stdout.write(asksForJson(argv) ? formatJson({ help }) : help);
}

/** Words without a command must still be flags that exist. */
async function assertOnlyGlobals(words: readonly string[]): Promise<void> {
  const flags = words.filter((word) => word !== "--help" && word !== "-h");
  if (flags.length === 0) return;
  if (flags.includes("--version")) {
    throw new UsageError("--version prints the version only as the first word", {
      hint: "Run `backout --version`, or `backout version` for more.",
    });
  }
  const { repositoryFlags } = await import("./repository_flags.ts");
  await parseCommand([], { options: repositoryFlags }, flags);
}

async function createContext(
  argv: readonly string[],
  args: ParsedArguments,
  io: ProcessIo,
  signal: AbortSignal,
): Promise<CommandContext> {
  const globals = readGlobals(args.options, io.env);
  assertStreams(globals);
  const { createPrinter } = await import("#/report/printer.ts");
  const printer = createPrinter({
    stdout: io.stdout.write,
    stderr: io.stderr.write,
    color: globals.color && io.stdout.isTerminal && io.stderr.isTerminal,
    quiet: globals.quiet,
    verbose: globals.verbose,
    isTerminal: io.stderr.isTerminal,
    width: io.stderr.isTerminal ? io.stderr.width : Infinity,
  });
  return {
    printer,
    stdoutIsTerminal: io.stdout.isTerminal,
    stdoutWidth: io.stdout.isTerminal ? io.stdout.width : Infinity,
    signal,
    env: io.env,
    cwd: io.cwd,
    argv,
    stdinIsTerminal: io.stdinIsTerminal,
    confirm: async (question) => {
      if (!io.stdinIsTerminal) return false;
      io.stderr.write(`${question} [y/N] `);
      const answer = await io.readLine(signal);
      signal.throwIfAborted();
      return /^\s*y(es)?\s*$/i.test(answer ?? "");
    },
    stdinLines: () => io.stdinLines?.(signal) ?? linesBy(io, signal),
    globals,
  };
}

async function* linesBy(io: ProcessIo, signal: AbortSignal): AsyncGenerator<string> {
  for (let line = await io.readLine(signal); line !== undefined; line = await io.readLine(signal)) yield line;
}

function assertStreams(globals: GlobalOptions): void {
  if (globals.events !== "-" || globals.output !== "json") return;
  throw new UsageError("--events - and JSON output would mix two documents on standard output", {
    hint: "Give --events a file, or leave out the JSON output.",
  });
}

async function answerFailure(
  thrown: unknown,
  argv: readonly string[],
  io: ProcessIo,
  signal: AbortSignal,
  editHint: (hint: string) => string,
): Promise<ExitCode> {
  if (thrown instanceof HelpRequested) {
    const located = locate(argv);
    const path = located.kind === "command" ? located.entry.path : located.path;
    await writeHelp(path, argv, io);
    return ExitCode.done;
  }
  const error = stopped(thrown, signal) ?? thrown;
  const { errorToJson, renderError } = await import("#/report/error_text.ts");
  const { ansiStyle, plainStyle } = await import("#/report/style.ts");
  const own = ownWords(argv);
  const verbose = own.includes("-v") || own.includes("--verbose");
  const color = io.stderr.isTerminal && !own.includes("--no-color") && (io.env("NO_COLOR") ?? "") === "" &&
    io.env("TERM") !== "dumb";
  if (asksForJson(argv)) io.stdout.write(formatJson(errorToJson(error, editHint)));
  io.stderr.write(renderError(error, color ? ansiStyle : plainStyle, { verbose, editHint }));
  return error instanceof RollbackError ? error.code : ExitCode.rollback;
}

/** Without the words of the command that `guard` runs. */
function ownWords(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf("--");
  return end < 0 ? argv : argv.slice(0, end);
}

/** Lets the commands in a hint name the repository as this command line did. */
function placeEditor(args: ParsedArguments, context: CommandContext): (hint: string) => string {
  const { repository, repositoryPath } = args.options;
  const folder = repository ?? repositoryPath;
  if (typeof folder !== "string") return (hint) => hint;
  const { stateDir } = context.globals;
  const place = placeFlags(args, context, {
    repository: absoluteLocation(folder, context),
    ...(stateDir === undefined ? {} : { stateDir: resolve(context.cwd, stateDir) }),
  });
  return (hint) => withPlace(hint, place);
}

/** The failure of whatever noticed the signal first, as what it is. */
function stopped(thrown: unknown, signal: AbortSignal): InterruptedError | undefined {
  if (!signal.aborted || thrown instanceof RollbackError) return undefined;
  return new InterruptedError(signal.reason as StopSignal);
}

function helpWidth(io: ProcessIo): number {
  return Math.min(io.stdout.width, MAX_HELP_WIDTH);
}
