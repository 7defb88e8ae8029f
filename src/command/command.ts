/**
 * A command is data: its words, its options and what it runs. The registry lists all of them; `main.ts` runs one.
 */
import type { ExitCode } from "#/core/errors.ts";
import type { Printer } from "#/report/printer.ts";

/** What a command may use of the process. Injected, so that tests run commands in-process. */
export interface CommandContext {
  readonly printer: Printer;
  /** Standard output, where documents go: whether people look at it, and the columns they have. */
  readonly stdoutIsTerminal: boolean;
  readonly stdoutWidth: number;
  /** Aborted by SIGHUP, SIGINT, SIGTERM (reason: the signal's name) or by `--timeout` (reason: "timeout"). */
  readonly signal: AbortSignal;
  readonly env: (name: string) => string | undefined;
  readonly cwd: string;
  /** The words after `backout`, as they were given. */
  readonly argv: readonly string[];
  readonly stdinIsTerminal: boolean;
  /** Asks on the terminal (standard error, answer from standard input); false where there is none. */
  readonly confirm: (question: string) => Promise<boolean>;
  /** Standard input, a line at a time, until its end or until `signal` aborts. */
  readonly stdinLines: () => AsyncIterable<string>;
  readonly globals: GlobalOptions;
}

/** The flags that every command takes, before or after its verb. */
export interface GlobalOptions {
  readonly config?: string;
  readonly output: "text" | "json";
  /** A file, or `-` for standard output. */
  readonly events?: string;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly progress?: boolean;
  readonly color: boolean;
  readonly yes: boolean;
  readonly dryRun: boolean;
  readonly lockTimeoutMs: number;
  readonly timeoutMs?: number;
  readonly offline: boolean;
  readonly stateDir?: string;
}

export interface OptionSpec {
  /** Commander's notation, e.g. `--reason <text>`; what may be given several times has `repeat`. */
  readonly flags: string;
  readonly description: string;
  readonly choices?: readonly string[];
  readonly default?: string | boolean;
  readonly repeat?: boolean;
  readonly hidden?: boolean;
  /** Wrong usage without it. */
  readonly required?: boolean;
  /** Heading in the help. @default "Options:" */
  readonly group?: string;
  /** What the shell completes after it: paths unless said otherwise. */
  readonly completes?: "file" | "folder" | "none";
}

export interface ArgumentSpec {
  /** Commander's notation: `<version>`, `[id]`, `<command...>`. */
  readonly name: string;
  readonly description: string;
  readonly choices?: readonly string[];
}

export interface Example {
  readonly command: string;
  readonly note: string;
}

/** The values of one command line's options, by camelCase name; repeatable ones are lists. */
export type OptionValues = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

export interface ParsedArguments {
  readonly positionals: readonly string[];
  readonly options: OptionValues;
}

export interface Command {
  readonly summary: string;
  /** More than the summary, where it needs more. */
  readonly description?: string;
  readonly arguments?: readonly ArgumentSpec[];
  readonly options?: readonly OptionSpec[];
  readonly examples: readonly Example[];
  /** Returns the exit code; throws a `RollbackError` for what has no report. */
  readonly run: (args: ParsedArguments, context: CommandContext) => Promise<ExitCode>;
}
