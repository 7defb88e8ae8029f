/** Help pages: the overview, a group, one command. */
import { VERSION } from "#/core/version.ts";
import { commandUsage } from "./parse.ts";
import { entriesOf, findEntry, findGroup, groups, shownEntries } from "./registry.ts";
import type { RegistryEntry } from "./registry.ts";

const OVERVIEW_EXAMPLES: readonly (readonly [string, string])[] = [
  ["backout release rollback v1.0.2 -r /srv/releases --reason 'broken login'", "take a bad version out"],
  ["backout release restore v1.0.2 -r /srv/releases", "put it back from its backup"],
  ["backout snapshot create 'before v2.0'", "keep what a server's files, git and databases look like"],
  ["backout snapshot restore latest --dry-run", "see what going back to it would change"],
  ["backout status -r /srv/releases", "see where the repository stands"],
];

/** The help page for these words: none is the overview. */
export async function helpPage(path: readonly string[], width: number): Promise<string> {
  const entry = findEntry(path);
  if (entry !== undefined) return await commandHelp(entry, width);
  const group = path[0] === undefined ? undefined : findGroup(path[0]);
  return group === undefined ? overview() : groupHelp(group.name, group.summary);
}

async function commandHelp(entry: RegistryEntry, width: number): Promise<string> {
  const { command } = await entry.load();
  const usage = await commandUsage(entry.path, command, width);
  const [first = "", ...rest] = usage.trimEnd().split("\n");
  const about = command.description ?? `${command.summary}.`;
  const examples = command.examples.flatMap((example) => [`  # ${example.note}`, `  ${example.command}`]);
  return [first, "", wrap(about, width), ...rest, "", "Examples:", ...examples, ""].join("\n");
}

function groupHelp(name: string, summary: string): string {
  const rows = table(entriesOf(name).map((entry) => [entry.path.join(" "), entry.summary]));
  const more = `\`backout help ${entriesOf(name)[0]!.path.join(" ")}\``;
  return [
    `Usage: backout ${name} <command> [options]`,
    "",
    `${summary}.`,
    "",
    "Commands:",
    ...rows,
    "",
    `All options and examples of a command: ${more}.`,
    "",
  ].join("\n");
}

function overview(): string {
  const width = Math.max(...shownEntries.map((entry) => entry.path.join(" ").length));
  const sections = new Map<string, RegistryEntry[]>();
  for (const entry of shownEntries) {
    const title = entry.section ?? groups.find((group) => group.name === entry.path[0])!.summary;
    sections.set(title, [...sections.get(title) ?? [], entry]);
  }
  const body = [...sections].flatMap(([title, entries]) => [
    `${title}:`,
    ...table(entries.map((entry) => [entry.path.join(" "), entry.summary]), width),
    "",
  ]);
  return [
    `backout ${VERSION}: takes a change back, and proves that it did.`,
    "",
    "Usage: backout <command> [options]",
    "",
    ...body,
    "Examples:",
    ...OVERVIEW_EXAMPLES.flatMap(([command, note]) => [`  # ${note}`, `  ${command}`]),
    "",
    "Options of every command, before or after it: --json, --dry-run, --yes, --config FILE and more.",
    "All options and examples of a command: `backout help release rollback`.",
    "",
  ].join("\n");
}

function table(rows: readonly (readonly string[])[], width = 0): string[] {
  const column = Math.max(width, ...rows.map(([first = ""]) => first.length));
  return rows.map(([first = "", second = ""]) => `  ${first.padEnd(column)}  ${second}`);
}

function wrap(text: string, width: number): string {
  const lines: string[] = [];
  for (const paragraph of text.split("\n")) {
    let line = "";
    for (const word of paragraph.split(" ")) {
      if (line !== "" && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else {
        line = line === "" ? word : `${line} ${word}`;
      }
    }
    lines.push(line);
  }
  return lines.join("\n");
}
