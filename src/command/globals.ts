/** The flags that every command takes. */
import type { GlobalOptions, OptionSpec, OptionValues } from "./command.ts";
import { defined, flagOption, parseDuration, textOption } from "./values.ts";

const GROUP = "Global options:";

export const globalOptions: readonly OptionSpec[] = [
  {
    flags: "--config <file>",
    description: "configuration instead of the nearest backout.yaml",
    group: GROUP,
  },
  {
    flags: "-o, --output <format>",
    description: "what to print",
    choices: ["text", "json"],
    group: GROUP,
  },
  { flags: "--json", description: "same as --output json", group: GROUP },
  {
    flags: "--events <file>",
    description: "write JSON lines as it goes, - for standard output",
    group: GROUP,
  },
  { flags: "-q, --quiet", description: "no notes and no progress", group: GROUP },
  { flags: "-v, --verbose", description: "say more; failures with a stack trace", group: GROUP },
  { flags: "--progress", description: "show progress even where there is no terminal", group: GROUP },
  { flags: "--no-progress", description: "show no progress", group: GROUP },
  { flags: "--no-color", description: "no colours (also: NO_COLOR)", group: GROUP },
  { flags: "-y, --yes", description: "do not ask before something destructive", group: GROUP },
  { flags: "--dry-run", description: "show what would happen and change nothing", group: GROUP },
  {
    flags: "--lock-timeout <duration>",
    description: "wait this long for another operation",
    completes: "none",
    group: GROUP,
  },
  {
    flags: "--timeout <duration>",
    description: "stop after this long and take back what was begun",
    completes: "none",
    group: GROUP,
  },
  { flags: "--offline", description: "never use the network", group: GROUP },
  {
    flags: "--state-dir <dir>",
    description: "folder for .backout and .rollback-backups",
    completes: "folder",
    group: GROUP,
  },
];

/** What every command gets, from the values of the command line. @throws {UsageError} */
export function readGlobals(options: OptionValues, env: (name: string) => string | undefined): GlobalOptions {
  const lockTimeout = textOption(options, "lockTimeout");
  const timeout = textOption(options, "timeout");
  const noColor = options.color === false || (env("NO_COLOR") ?? "") !== "" || env("TERM") === "dumb";
  return defined({
    config: textOption(options, "config"),
    output: wantsJson(options) ? "json" as const : "text" as const,
    events: textOption(options, "events"),
    quiet: flagOption(options, "quiet"),
    verbose: flagOption(options, "verbose"),
    progress: typeof options.progress === "boolean" ? options.progress : undefined,
    color: !noColor,
    yes: flagOption(options, "yes"),
    dryRun: flagOption(options, "dryRun"),
    lockTimeoutMs: lockTimeout === undefined ? 0 : parseDuration(lockTimeout, "--lock-timeout"),
    timeoutMs: timeout === undefined ? undefined : parseDuration(timeout, "--timeout"),
    offline: flagOption(options, "offline"),
    stateDir: textOption(options, "stateDir"),
  });
}

/** Whether the words ask for JSON; looked for before they are parsed, so that wrong usage is answered in JSON too. */
export function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  const words = end < 0 ? argv : argv.slice(0, end);
  return words.some((word, i) =>
    word === "--json" || word === "--output=json" || word === "-ojson" ||
    ((word === "-o" || word === "--output") && words[i + 1] === "json")
  );
}

function wantsJson(options: OptionValues): boolean {
  return flagOption(options, "json") || options.output === "json";
}
