/** What the completion scripts of all shells are made from. */
import type { OptionSpec } from "./command.ts";
import { globalOptions } from "./globals.ts";
import { spellings } from "./locate.ts";
import { entriesOf, groups, shownEntries } from "./registry.ts";
import { repositoryFlags } from "./repository_flags.ts";

/** What completes a value: a list of words, or names of the file system. */
export type ValueSource = { readonly words: readonly string[] } | "file" | "folder" | "none";

export interface CompletableFlag {
  /** `--output`, `-o` */
  readonly names: readonly string[];
  readonly description: string;
  /** Undefined for a flag without a value. */
  readonly value: ValueSource | undefined;
}

/** A place in the command line: the words so far, and what may follow. */
export interface Place {
  /** `release rollback`, empty at the start. */
  readonly path: string;
  readonly words: readonly (readonly [word: string, description: string])[];
  readonly flags: readonly CompletableFlag[];
}

/** All places: the start, each group, each command. */
export async function completionPlaces(): Promise<readonly Place[]> {
  const globals = flagsOf([...repositoryFlags, ...globalOptions]);
  const commands = await Promise.all(shownEntries.map(async (entry): Promise<Place> => {
    const { command } = await entry.load();
    const choices = (command.arguments ?? []).flatMap((argument) => argument.choices ?? []);
    return {
      path: entry.path.join(" "),
      words: choices.map((choice) => [choice, ""] as const),
      flags: flagsOf([...command.options ?? [], ...globalOptions]),
    };
  }));
  const inGroups = groups.map((group): Place => {
    const fallback = commands.find((command) => command.path === `${group.name} ${group.fallback}`);
    const words = entriesOf(group.name).map((entry) => [entry.path[1]!, entry.summary] as const);
    return { path: group.name, words, flags: fallback?.flags ?? globals };
  });
  const singles = shownEntries.filter((entry) => entry.path.length === 1);
  const start: Place = {
    path: "",
    words: [
      ...groups.map((group) => [group.name, group.summary] as const),
      ...singles.map((entry) => [entry.path[0]!, entry.summary] as const),
      ["help", "Show help"],
    ],
    flags: globals,
  };
  return [start, ...inGroups, ...commands];
}

function flagsOf(options: readonly OptionSpec[]): readonly CompletableFlag[] {
  const help: CompletableFlag = { names: ["--help", "-h"], description: "show help", value: undefined };
  return [
    help,
    ...options.filter((option) => option.hidden !== true).map((option) => ({
      names: spellings(option),
      description: option.description,
      value: valueOf(option),
    })),
  ];
}

function valueOf(option: OptionSpec): ValueSource | undefined {
  if (!option.flags.includes("<")) return undefined;
  if (option.choices !== undefined) return { words: option.choices };
  return option.completes ?? "file";
}

/** A value source as one word for a script: `@file`, `@folder`, `@none`, or the words. */
export function valueCode(value: ValueSource): string {
  return typeof value === "string" ? `@${value}` : value.words.join(" ");
}

/** Shell code `case` branches `PLACE FLAG) CODE`, one for each flag with a value; equal ones share a branch. */
export function valueBranches(places: readonly Place[], action: (code: string) => string): string {
  const patterns = new Map<string, string[]>();
  for (const place of places) {
    for (const flag of place.flags) {
      if (flag.value === undefined) continue;
      const code = valueCode(flag.value);
      const known = patterns.get(code) ?? [];
      known.push(...flag.names.map((name) => quote(`${place.path} ${name}`)));
      patterns.set(code, known);
    }
  }
  return [...patterns].map(([code, names]) => `    ${names.join("|")}) ${action(code)} ;;`).join("\n");
}

/** Text as one word of a POSIX shell. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
