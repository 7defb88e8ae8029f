/** Finds the command among the words, wherever the flags stand. */
import { UsageError } from "#/core/errors.ts";
import { quoteShort } from "#/core/safe_path.ts";
import type { OptionSpec } from "./command.ts";
import { globalOptions } from "./globals.ts";
import { entriesOf, findEntry, findGroup, groups, shownEntries } from "./registry.ts";
import type { RegistryEntry } from "./registry.ts";
import { repositoryFlags } from "./repository_flags.ts";
import { nearest } from "#/core/nearest.ts";

export type Located =
  | { readonly kind: "command"; readonly entry: RegistryEntry; readonly words: readonly string[] }
  | { readonly kind: "help"; readonly path: readonly string[]; readonly words: readonly string[] };

/** Flags that may stand before the verb and take the next word as their value. */
const VALUE_FLAGS = new Set([...globalOptions, ...repositoryFlags].flatMap(valueSpellings));

/**
 * Takes the words of a command line apart: which command, and the words left for it.
 * @throws {UsageError} for an unknown command, with the nearest one as a hint
 */
export function locate(argv: readonly string[]): Located {
  const path: string[] = [];
  const words: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    if (word === "--") break;
    if (word.startsWith("-") && word !== "-") {
      const fallback = fallbackEntry(path);
      if (fallback !== undefined && !isKnownFlag(word)) {
        return { kind: "command", entry: fallback, words: [...words, ...argv.slice(i)] };
      }
      words.push(word);
      if (VALUE_FLAGS.has(word) && i + 1 < argv.length) words.push(argv[++i]!);
      continue;
    }
    if (path.length === 0 && word === "help") return helpFor(argv.slice(i + 1));
    path.push(word);
    const rest = argv.slice(i + 1);
    const entry = findEntry(path);
    if (entry !== undefined) return { kind: "command", entry, words: [...words, ...rest] };
    if (path.length === 1 && findGroup(word) !== undefined) continue;
    throw unknownCommand(path, words, rest);
  }
  const entry = fallbackEntry(path);
  if (entry !== undefined && !words.some((word) => word === "--help" || word === "-h")) {
    return { kind: "command", entry, words };
  }
  return { kind: "help", path, words };
}

/** The command that a group's word alone stands for. */
function fallbackEntry(path: readonly string[]): RegistryEntry | undefined {
  const fallback = path.length === 1 ? findGroup(path[0]!)?.fallback : undefined;
  return fallback === undefined ? undefined : findEntry([path[0]!, fallback]);
}

function helpFor(argv: readonly string[]): Located {
  const path = argv.filter((word) => !word.startsWith("-"));
  const words = argv.filter((word) => word.startsWith("-"));
  const known = path.length === 0 || findEntry(path) !== undefined ||
    (path.length === 1 && findGroup(path[0]!) !== undefined);
  if (!known) throw unknownCommand(path.slice(0, 2), words, []);
  return { kind: "help", path, words };
}

function unknownCommand(
  path: readonly string[],
  flags: readonly string[],
  rest: readonly string[],
): UsageError {
  const first = path[0]!;
  const second = path[1];
  const stray = flags.find((flag) => !isKnownFlag(flag));
  if (stray !== undefined && second === undefined) {
    return new UsageError(`${quoteShort(first)} is not a command, and ${stray} stands before it`, {
      hint: `Put ${stray} after the command: only global options may come first.`,
    });
  }
  const asked = second !== undefined && findGroup(first) !== undefined ? second : first;
  const known = asked === second ? entriesOf(first).map((entry) => entry.path[1]!) : topWords();
  const group = asked === second ? `${first} ` : "";
  const near = nearest(asked, known);
  const elsewhere = shownEntries.filter((entry) => entry.path.length > 1 && entry.path[1] === asked);
  const whole = near !== undefined && findEntry([near, rest[0] ?? ""]) !== undefined ? ` ${rest[0]}` : "";
  // A verb that is one, without its group, is no typing error.
  const suggestions = near === undefined || (group === "" && elsewhere.length > 0)
    ? elsewhere.map((entry) => `backout ${entry.path.join(" ")}`)
    : [`backout ${group}${near}${whole}`];
  const help = group === "" ? "backout --help" : `backout ${first} --help`;
  return new UsageError(`${quoteShort(`${group}${asked}`)} is not a command`, {
    hint: suggestions.length === 0
      ? `See \`${help}\` for all commands.`
      : `Did you mean \`${suggestions.join("` or `")}\`?`,
  });
}

function topWords(): string[] {
  const single = shownEntries.filter((entry) => entry.path.length === 1).map((entry) => entry.path[0]!);
  return [...groups.map((group) => group.name), ...single, "help"];
}

function isKnownFlag(flag: string): boolean {
  const name = flag.split("=")[0]!;
  return [...globalOptions, ...repositoryFlags].some((spec) => spellings(spec).includes(name)) ||
    name === "--help" || name === "-h" || !name.startsWith("-") || VALUE_FLAGS.has(name);
}

function valueSpellings(spec: OptionSpec): string[] {
  return spec.flags.includes("<") ? spellings(spec) : [];
}

/** `-o` and `--output` of `-o, --output <format>`. */
export function spellings(spec: OptionSpec): string[] {
  return spec.flags.split(/[\s,]+/).filter((part) => part.startsWith("-"));
}
